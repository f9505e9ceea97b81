"""Errors by what one can do about them.

Every error says what is wrong (`what`), where (`where`: a key of the configuration, a URL, a
company code) and what to do about it (`remedy`). The tree, with the process's exit code:

    ConnectorError                1  something needs a person
    ├── Misconfigured             2  fix the configuration, start again
    └── OtherEndFailed            3  Sage 100's agent or HubSpot did not do its part
        ├── Unreachable              it is not there, or too busy: passes by itself, retried
        ├── Refused                  it knows us and says no: never retried, a person must act
        └── Unintelligible           it answered what no specification allows

Packages below (the agent's client, HubSpot's) derive their own from these; nothing outside
catches more than this tree. A class's docstring is its message when none is given.
"""

from __future__ import annotations

import inspect
from typing import ClassVar, Final

TOLD_AT_THE_END: Final = {"told_at_the_end": True}
"""Marks a log line that only the service needs: a single run ends with its matter, as an error."""


class ConnectorError(Exception):
    """Something needs a person."""

    exit_code: ClassVar[int] = 1
    category: str = "connector"  # stable, for events and metrics
    retryable: bool = False  # may the very same call succeed later by itself?
    default_remedy: ClassVar[str] = ""

    def __init__(self, what: str = "", *, where: str = "", remedy: str = "") -> None:
        self.what = what or inspect.getdoc(type(self)) or type(self).__name__
        self.where = where
        self.remedy = remedy or self.default_remedy
        super().__init__(self.what)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} Remedy: {self.remedy}" if self.remedy else text


def told(problem: ConnectorError) -> dict[str, str]:
    """The error as documents have it: "what", "where" and "remedy"."""
    return {"what": problem.what, "where": problem.where, "remedy": problem.remedy}


class Misconfigured(ConnectorError):
    """The configuration does not fit what it describes."""

    exit_code = 2
    category = "configuration"
    default_remedy = "Correct the configuration and start again."


class OtherEndFailed(ConnectorError):
    """The other end did not do its part."""

    exit_code = 3
    category = "other_end"


class Unreachable(OtherEndFailed):
    """The other end cannot be reached, or is too busy to answer."""

    category = "unreachable"
    retryable = True
    default_remedy = "Nothing, if it passes: it is tried again. Else see that it runs."


class Refused(OtherEndFailed):
    """The other end refused us."""

    category = "refused"
    default_remedy = "Correct the credentials or the permissions, then restart."


class Unintelligible(OtherEndFailed):
    """The other end answered something that cannot be understood."""

    category = "unintelligible"
    default_remedy = "See that the address is right and that nothing stands in between."
