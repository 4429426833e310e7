"""Secure evaluation: a private model on private rows, each staying with its owner; three parties, and counts alone are opened."""
