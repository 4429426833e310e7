"""Which candidates to measure, in what order, when to stop."""
