"""From an exception to what the operator reads and the exit code: the one place that decides.

0 done; 1 done, but something needs a person; 2 usage or configuration; 3 the other end is
unreachable or refused us; 130 interrupted. What is none of the expected errors is a bug in this
program and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import eventstore
from connector.cli import output
from connector.errors import ConnectorError

_REMEDIES: Final[tuple[tuple[type[eventstore.EventStoreError], int, str], ...]] = (
    (
        eventstore.StoreMissing,
        2,
        "Correct store.url, or let 'ml-connector run --once' make the first pass.",
    ),
    (
        eventstore.StoreInUse,
        2,
        "Stop the process that has the store open (it is named above), then try again. Only 'run', "
        "'setup', 'import' and 'rebuild' need that: all other commands work beside it.",
    ),
    (
        eventstore.NotAStore,
        2,
        "store.url names a file of another program: correct it. The file was left untouched.",
    ),
    (
        eventstore.UnknownSchema,
        2,
        "A newer ml-connector has written it: install that version, or a later one.",
    ),
    (eventstore.Misconfigured, 2, "Correct the configuration and start again."),
    (
        eventstore.Damaged,
        1,
        "Stop the service, keep the damaged file for inspection, restore the last good backup; "
        "'ml-connector verify' names the first broken position.",
    ),
    (
        eventstore.Unavailable,
        1,
        "See to disk space and permissions (most simply: run the command as the user of the "
        "service), then try again.",
    ),
)


def report(problem: BaseException, *, as_json: bool) -> int | None:
    """Print an expected error and give its exit code; None for what is not expected here."""
    leaves = list(_leaves(problem))
    known = [found for found in map(_known, leaves) if found is not None]
    if len(known) != len(leaves):
        return None
    code, what, where, remedy = known[0]
    output.failure(what, where=where, remedy=remedy, as_json=as_json)
    for _, what, where, remedy in known[1:]:
        output.failure(what, where=where, remedy=remedy)
    return code


def report_barred(barred: Mapping[str, str], remedies: Mapping[str, str]) -> None:
    """Print which objects HubSpot lets nobody write, why, and what to do about each."""
    for name, why in barred.items():
        remedy = remedies.get(name, "'ml-connector check' says more.")
        output.failure(why, where=f"HubSpot {name}", remedy=remedy)


def _leaves(problem: BaseException) -> Iterator[BaseException]:
    if isinstance(problem, BaseExceptionGroup):
        for each in problem.exceptions:
            yield from _leaves(each)
    else:
        yield problem


def _known(problem: BaseException) -> tuple[int, str, str, str] | None:
    """(exit code, what, where, remedy) of an error that a person can do something about."""
    if isinstance(problem, ConnectorError):
        return problem.exit_code, problem.what, problem.where, problem.remedy
    for kind, code, remedy in _REMEDIES:
        if isinstance(problem, kind):
            return code, str(problem), "", remedy
    return None
