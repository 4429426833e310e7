"""The exam for each kind of part, for our own parts and for plug-ins."""
