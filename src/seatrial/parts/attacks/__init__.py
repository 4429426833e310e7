"""How somebody breaks it."""
