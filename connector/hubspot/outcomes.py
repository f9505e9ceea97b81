"""From what became of an input to the event that says so."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from connector.hubspot import passage
from connector.hubspot.advice import RETRIES_EXHAUSTED, advice
from connector.hubspot.settle import Outcome, Refused, Undone, Written
from connector.hubspot.tally import LaneTally
from projections import events

MAX_ATTEMPTS: Final = 8  # of a command whose failures are its own, not HubSpot's as a whole


class Attempt(msgspec.Struct, frozen=True):
    """A command on its way: target, key in the batch, number of the attempt.

    `sent`: position of its CommandSent. `kept`: properties left as HubSpot has them. `withheld`:
    properties left out because HubSpot would not take them. `overtaken`: those in which it held
    something else than the command expected.
    """

    name: str
    key: str
    command: int
    attempt: int
    sent: int
    kept: dict[str, str] = {}
    linking: bool = False
    unlinking: bool = False
    withheld: dict[str, events.Withheld] = {}
    overtaken: dict[str, str] = {}


def event_of(
    outcome: Outcome,
    attempt: Attempt,
    *,
    batch: str,
    correlation_id: str,
    retry_at_us: int,
    status: int = 0,
) -> events.Event:
    """The event that records `outcome`; a failure is tried again at `retry_at_us`. `status`: of the
    answer, 0 for none.
    """
    match outcome:
        case Written():
            return events.CommandSucceeded(
                attempt.command,
                outcome.hubspot_id,
                _done(outcome, attempt),
                batch,
                correlation_id,
                attempt.kept,
                withheld=attempt.withheld,
                overtaken=attempt.overtaken,
                status=status,
            )
        case Refused(why=why):
            return events.CommandParked(
                attempt.command,
                why.reason,
                why.message,
                why.advice,
                why.status,
                batch,
                correlation_id,
                why.owner,
            )
        case Undone() if outcome.blamed and attempt.attempt >= MAX_ATTEMPTS:
            blocked = outcome.category == passage.BLOCKED
            return events.CommandParked(
                attempt.command,
                passage.BLOCKED if blocked else RETRIES_EXHAUSTED,
                f"{attempt.attempt} attempts failed, the last one: {outcome.message}",
                passage.ADVICE if blocked else advice(RETRIES_EXHAUSTED),
                outcome.status,
                batch,
                correlation_id,
            )
        case Undone():
            return events.CommandFailed(
                attempt.command,
                outcome.category,
                outcome.message,
                retry_at_us,
                attempt.attempt,
                outcome.unknown,
                outcome.status,
                batch,
                correlation_id,
            )


def _done(
    outcome: Written, attempt: Attempt
) -> Literal["created", "updated", "linked", "unlinked"]:
    if attempt.unlinking:
        return "unlinked"
    if attempt.linking:
        return "linked"
    return "created" if outcome.created else "updated"


def count(event: events.Event, tally: LaneTally) -> None:
    """Add one event to the counts of its lane."""
    match event:
        case events.CommandSucceeded(outcome="created"):
            tally.created += 1
        case events.CommandSucceeded(outcome="updated"):
            tally.updated += 1
        case events.CommandSucceeded(outcome="linked" | "unlinked"):
            tally.linked += 1
        case events.CommandSucceeded():
            tally.found += 1
        case events.CommandFailed():
            tally.failed += 1
        case events.CommandParked():
            tally.parked += 1
        case events.CommandHeld():
            tally.held += 1
        case events.RecordAdopted():
            tally.adopted += 1
        case events.RecordLost():
            tally.lost += 1
        case _:
            pass
