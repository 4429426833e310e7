"""Formats: what a file is, looked at without loading it."""
