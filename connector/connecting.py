"""Why no connection came about, in the operating system's words and no more.

The HTTP library's own sentence says how it would have spoken TLS, of plain addresses too; that is
no reason, and reads like one.
"""

from __future__ import annotations


def why_not(problem: Exception) -> str:
    """The reason: "Name or service not known", "Connect call failed ('127.0.0.1', 9)"."""
    system = getattr(problem, "os_error", None)
    told = system if isinstance(system, OSError) else problem
    return (told.strerror if isinstance(told, OSError) else "") or str(told)
