"""`python -m ganlab`: the command line of `cli.py`."""

import sys

from ganlab.cli import main

if __name__ == "__main__":  # processes that the apps start import this file again
    sys.exit(main())
