"""How a model arrives."""
