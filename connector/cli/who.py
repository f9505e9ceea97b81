"""Who asks: the name that stands in the log beside what an operator ordered."""

from __future__ import annotations

import getpass
import os


def who() -> str:
    """The operator's log-on name; `uid:12345` where the system has none for this user.

    A container is often run under a number that no passwd file knows.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid:{os.getuid()}"
