"""`python -m seatrial` is `seatrial`."""

import sys

from seatrial.apps.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
