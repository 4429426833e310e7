"""What is told, from a dossier."""
