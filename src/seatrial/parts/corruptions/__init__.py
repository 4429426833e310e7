"""How inputs go bad."""
