"""How a session is driven."""
