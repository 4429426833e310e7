"""What is read off while it runs."""
