"""Hardware: what devices promise, what this machine was measured to reach, and what a model would do on either."""
