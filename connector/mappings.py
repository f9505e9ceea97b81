"""The mapping in force, and why a changed file is not enough to change it.

A mapping file that differs may change thousands of records, so the one in the log stays in force
until a person has seen a plan and applied it; the very first is put in force as it is. Before any
mapping comes into force the portal gets the properties it needs.
"""

from __future__ import annotations

import logging
from typing import Final

from connector.addresses import refuse_moved
from connector.errors import Misconfigured
from connector.hubspot import schema
from connector.hubspot.api import HubSpot
from connector.new_events import done_by, in_the_name_of, new_event
from connector.planning import (
    MAPPING_STREAM,
    Kept,
    PlanRefused,
    Tier,
    check,
    in_force,
    mapping_of,
    moved,
)
from eventstore import EventStore, HeadMoved, NewEvent
from projections import events
from projections.mapping import compiled
from projections.mapping.compiled import CompiledMapping, MappingError

PLAN_STREAM: Final = "audit/plan"
_TRIES: Final = 20
_log: Final = logging.getLogger(__name__)


async def active(store: EventStore) -> CompiledMapping | None:
    """The mapping in force, None in a new store. Raises Misconfigured."""
    found = await in_force(store)
    if found is None:
        return None
    try:
        return compiled.restore(found.mapping)
    except MappingError as problem:
        raise Misconfigured(
            f"this version cannot read the mapping in force: {problem}",
            where=f"mapping {found.digest[:12]}",
            remedy="Go back to the version before, apply a mapping without what is named here "
            "('ml-connector plan --mapping FILE', then 'apply'), and update then.",
        ) from None


async def proposed(store: EventStore, configured: CompiledMapping) -> str:
    """The digest of the configured mapping when another one is in force; else ""."""
    found = await in_force(store)
    return configured.digest if found is not None and found.digest != configured.digest else ""


class Mappings:
    """The mapping in force of one open store. `current` is what is written by."""

    def __init__(
        self, store: EventStore, hubspot: HubSpot, configured: CompiledMapping, tier: Tier
    ) -> None:
        self.current = configured
        self.configured = configured
        self._store = store
        self._hubspot = hubspot
        self._tier: Tier = tier

    @property
    def proposed(self) -> str:
        """The digest of the configured mapping when another one is in force; else ""."""
        same = self.current.digest == self.configured.digest
        return "" if same else self.configured.digest

    async def prepare(self) -> bool:
        """Find the mapping in force, or put the first one in force; whether that was done.

        Raises AddressMoved when the configured one can never come into force here.
        """
        found = await active(self._store)
        self.current = found or self.configured
        if found is None:
            await self._activate(self.configured)
        elif self.proposed:
            await refuse_moved(self._store, self.configured)
            _log.warning(
                "the configured mapping (%s) is not the one in force (%s), which stays so: see "
                "what it would change with 'ml-connector plan', then 'ml-connector apply DIGEST'; "
                "or name the file that was applied as hubspot.mapping",
                self.configured.digest[:12],
                found.digest[:12],
            )
        if not await schema.is_ensured(self._store, self.current.digest):
            await self._ensure(self.current)
        return found is None

    async def apply(self, kept: Kept, by: str) -> None:
        """Let a plan's changes go on, if it still is what would be done. Raises PlanRefused.

        What is decided from here on is decided with the plan's mapping.
        """
        await check(self._store, kept, self._tier)
        mapping = await mapping_of(self._store, kept)
        is_new = mapping.digest != self.current.digest
        if is_new and not await schema.is_ensured(self._store, mapping.digest):
            report = await self._ensure(mapping)
            if not report.ready:
                first = report.problems[0]
                raise PlanRefused(
                    f"The portal does not fit the mapping: {first.subject}: {first.detail}",
                    where=f"plan {kept.digest[:12]}",
                    remedy=first.remedy,
                )
        applied = events.PlanApplied(kept.digest, kept.position, mapping.digest, kept.records, by)
        new = [new_event(PLAN_STREAM, applied), *([_activated(mapping)] if is_new else [])]
        for _ in range(_TRIES):
            # Nothing may come between the last look and the append: the log must end where it did.
            head = (await self._store.head()).last
            event = await moved(self._store, kept.position)
            if event is not None:
                raise PlanRefused(
                    f"The log has moved since this plan was made: {event.type} at position "
                    f"{event.position}.",
                    where=f"plan {kept.digest[:12]}",
                )
            try:
                await self._store.append(new, expect_head=head, meta=in_the_name_of(by))
            except HeadMoved:
                continue
            self.current = mapping
            return
        raise PlanRefused(
            "The log moves faster than the plan can be applied.",
            where=f"plan {kept.digest[:12]}",
            remedy="Try again when the running service has less to do.",
        )

    async def _activate(self, mapping: CompiledMapping) -> None:
        await self._store.append([_activated(mapping)], meta=done_by("service"))
        self.current = mapping

    async def _ensure(self, mapping: CompiledMapping) -> schema.SchemaReport:
        report = await schema.setup(self._store, self._hubspot, mapping.source, mapping.digest)
        for problem in report.problems:
            _log.warning("HubSpot %s: %s. %s", problem.subject, problem.detail, problem.remedy)
        return report


def _activated(mapping: CompiledMapping) -> NewEvent:
    return new_event(
        MAPPING_STREAM, events.MappingActivated(mapping.digest, compiled.content(mapping))
    )
