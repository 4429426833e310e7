"""How training is poisoned, and how that is found."""
