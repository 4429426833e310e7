"""One file = one part. The file's name is the name in the study file."""
