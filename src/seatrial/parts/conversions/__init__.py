"""One format into another, proved equal."""
