"""The mapping in force, and why a changed file is not enough to change it.

A mapping file that differs may change thousands of records, so the one in the log stays in force
until a person has seen a plan and applied it; the very first is put in force as it is. Before any
mapping comes into force the portal gets the properties it needs.
"""

from __future__ import annotations

import logging
from typing import Final

from connector.errors import Misconfigured
from connector.hubspot import schema
from connector.hubspot.api import HubSpot
from connector.planning import MAPPING_STREAM, Kept, PlanRefused, in_force, moved, new_event
from eventstore import EventStore, Meta
from projections import events
from projections.mapping import compiled
from projections.mapping.compiled import CompiledMapping, MappingError

PLAN_STREAM: Final = "audit/plan"
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

    def __init__(self, store: EventStore, hubspot: HubSpot, configured: CompiledMapping) -> None:
        self.current = configured
        self.configured = configured
        self._store = store
        self._hubspot = hubspot

    @property
    def proposed(self) -> str:
        """The digest of the configured mapping when another one is in force; else ""."""
        same = self.current.digest == self.configured.digest
        return "" if same else self.configured.digest

    async def prepare(self) -> bool:
        """Find the mapping in force, or put the first one in force; whether that was done."""
        found = await active(self._store)
        self.current = found or self.configured
        if found is None:
            await self._activate(self.configured, [])
        elif self.proposed:
            _log.warning(
                "the configured mapping (%s) is not the one in force (%s), which stays so: see "
                "what it would change with 'ml-connector plan', then 'ml-connector apply DIGEST'",
                self.configured.digest[:12],
                found.digest[:12],
            )
        if not await schema.is_ensured(self._store, self.current.digest):
            await self._ensure(self.current)
        return found is None

    async def apply(self, kept: Kept, by: str) -> None:
        """Let a plan's changes go on, if nothing has come between. Raises PlanRefused.

        What is decided from here on is decided with the plan's mapping.
        """
        mapping = compiled.restore(kept.mapping) if kept.mapping else self.current
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
        event = await moved(self._store, kept.position)
        if event is not None:
            raise PlanRefused(
                f"The log has moved since this plan was made: {event.type} at position "
                f"{event.position}.",
                where=f"plan {kept.digest[:12]}",
            )
        applied = events.PlanApplied(kept.digest, kept.position, mapping.digest, kept.records, by)
        await self._activate(mapping, [applied], is_new=is_new, by=by)

    async def _activate(
        self,
        mapping: CompiledMapping,
        beside: list[events.PlanApplied],
        *,
        is_new: bool = True,
        by: str = "",
    ) -> None:
        new = [new_event(PLAN_STREAM, event) for event in beside]
        if is_new:
            activated = events.MappingActivated(mapping.digest, compiled.content(mapping))
            new.append(new_event(MAPPING_STREAM, activated))
        actor = f"operator:{by}" if by else "operator" if beside else "service"
        await self._store.append(new, meta=Meta(actor=actor))
        self.current = mapping

    async def _ensure(self, mapping: CompiledMapping) -> schema.SchemaReport:
        report = await schema.setup(self._store, self._hubspot, mapping.source, mapping.digest)
        for problem in report.problems:
            _log.warning("HubSpot %s: %s. %s", problem.subject, problem.detail, problem.remedy)
        return report
