"""What fits a model."""
