"""What is done to a model."""
