"""Columns that a mapping or [sage100.columns] names and nobody serves: said before it is missed.

The property of such a rule stays empty in every record, and nothing fails. So what an agent has
said it serves is compared, or the documented names as long as none has said anything, and whoever
starts the service or makes a plan is told, with the name that was probably meant.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from connector import documents
from connector.config import Config
from connector.config.problems import nearest
from eventstore import EventStore
from projections import layouts
from projections.mapping.compiled import CompiledMapping
from projections.tables import Source

_log: Final = logging.getLogger(__name__)


async def warnings(store: EventStore, config: Config, mapping: CompiledMapping) -> list[str]:
    """A sentence for each name that nobody serves, in the order of the mapping."""
    said: dict[str, list[str]] = {}
    for agent in config.sage100:
        found = await documents.some(store, "source", Source, agent.companies)
        for company in agent.companies:
            source = found.get(company) or Source()
            texts = [
                *_of_mapping(mapping, source.columns),
                *of_names(agent.columns, source.columns),
            ]
            for text in texts:
                said.setdefault(text, []).append(company)
    every = sum(len(agent.companies) for agent in config.sage100)
    return [
        text if len(companies) == every else f"{text} (company {', '.join(companies)})"
        for text, companies in said.items()
    ]


def _of_mapping(mapping: CompiledMapping, served: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for one in layouts.unserved(mapping.source, served):
        who = "the agent serves" if one.told else "Sage 100 has"
        yield (
            f'the mapping, [{one.object}] property "{one.property}": {who} no column '
            f"{one.column} of {one.entity}, so it stays empty{_meant(one.column, one.known)}"
        )


def of_names(names: Mapping[str, str], served: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Sentences on [sage100.columns]. `served`: as far as it is known."""
    told = frozenset(column for columns in served.values() for column in columns)
    for ours, theirs in names.items():
        if told and ours not in told:
            yield f'[sage100.columns] {ours}: the agent has no column "{theirs}"'
        elif not told and ours not in layouts.EVERY and not layouts.is_a_sites_own(ours):
            meant = _meant(ours, layouts.EVERY)
            yield f"[sage100.columns] {ours}: Sage 100 has no column of that name{meant}"


def _meant(column: str, known: Collection[str]) -> str:
    close = nearest(column, known)
    return f': did you mean "{close}"?' if close else ""


class Unserved:
    """What one service has warned of: each sentence once."""

    def __init__(self, store: EventStore, config: Config) -> None:
        self._store = store
        self._config = config
        self._said: set[str] = set()

    async def warn(self, mapping: CompiledMapping) -> None:
        """Log what nobody serves, as far as it was not said before."""
        for text in await warnings(self._store, self._config, mapping):
            if text not in self._said:
                self._said.add(text)
                _log.warning("%s", text)
