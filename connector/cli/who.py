"""Who asks: the name that stands in the log beside what an operator ordered."""

from __future__ import annotations

import getpass
import os


def who() -> str:
    """The operator's log-on name; `uid:12345` where the system has none for this user.

    A container is often run under a number that no passwd file knows. The log holds UTF-8 only: of
    a name that is none, what can be read of it.
    """
    try:
        return getpass.getuser().encode(errors="replace").decode()
    except (KeyError, OSError):
        return f"uid:{os.getuid()}"
