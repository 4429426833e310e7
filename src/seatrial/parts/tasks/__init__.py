"""What answers mean: each part turns raw outputs and a label column into the terms that metrics read."""
