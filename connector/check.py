"""What `check` reports: one line per thing looked at, with the remedy when it is not well."""

from __future__ import annotations

import msgspec

from connector.errors import ConnectorError


class CheckLine(msgspec.Struct, frozen=True):
    """`subject`: what was looked at. `detail`: what was found there.

    `remedy`: "" when there is nothing to do; on an ok line, what to do before it goes wrong.
    `where`: the address and operation, or the WSDL, when it failed there. `tried` False: it could
    not be looked at, for the reason in `detail`. `names`: all that `detail` only counts.
    """

    subject: str
    ok: bool
    detail: str
    remedy: str = ""
    where: str = ""
    tried: bool = True
    names: tuple[str, ...] = ()


def failed(subject: str, problem: ConnectorError, remedy: str = "") -> CheckLine:
    """A line for what an error says; `remedy` in the place of the error's own."""
    return CheckLine(subject, False, problem.what, remedy or problem.remedy, problem.where)


def untried(subject: str, because: str) -> CheckLine:
    """A line for what could not be looked at."""
    return CheckLine(subject, False, f"not tried, since {because}", tried=False)
