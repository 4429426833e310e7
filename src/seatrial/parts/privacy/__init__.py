"""What somebody learns of the rows behind a model."""
