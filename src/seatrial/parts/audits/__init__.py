"""What is wrong with the data: one file an audit."""
