"""`ml-connector` and `python -m connector`."""

from __future__ import annotations

import sys

from connector import collector
from connector.cli.program import run


def main() -> None:
    """Run one command line and end the process with its exit code."""
    collector.tune()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
