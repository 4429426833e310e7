"""How one decides."""
