"""`ml-connector` and `python -m connector`.

Loading the parts takes a good part of a second, in which Ctrl-C must end the program as it does
later on. So next to nothing is loaded before the signal is seen to.
"""

from __future__ import annotations

import os
import signal
import sys

_INTERRUPTED = 130


def main() -> None:
    """Run one command line and end the process with its exit code."""
    # Who has been started in the background is not interrupted: then it is ignored already.
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:
        signal.signal(signal.SIGINT, _end)
    from connector import collector
    from connector.cli.program import run

    collector.tune()
    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(run(sys.argv[1:]))


def _end(signal_number: int, frame: object) -> None:
    """End at once: nothing has begun. An exception could get lost in whatever is being loaded."""
    os.write(2, b"error: interrupted\n")
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
