"""An agent's own names of columns, and the canonical ones that everything above the client uses.

[sage100.columns] maps canonical to the agent's name (`CustomerNo = "CustomerNumber"`). A mapping
holds for every entity where the agent has the mapped name; elsewhere the canonical one stands.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from connector.sage100.contract import AgentInfo, Entity, Page
from connector.sage100.errors import AgentMisfit, Call


class Naming(msgspec.Struct, frozen=True):
    """Canonical to the agent's name, as configured, and per entity as GetInfo bears it out."""

    configured: Mapping[str, str] = {}
    served: Mapping[str, frozenset[str]] = {}

    def on_the_wire(self, entity: str, column: str) -> str:
        """The agent's name of a canonical column."""
        renamed = self.configured.get(column, column)
        served = self.served.get(entity)
        return column if served is not None and renamed not in served else renamed

    def canonical(self, entity: str, columns: tuple[str, ...]) -> tuple[str, ...]:
        """Canonical names of the agent's columns, in their order."""
        back = {self.on_the_wire(entity, name): name for name in self.configured}
        return tuple(back.get(column, column) for column in columns)


def learn(configured: Mapping[str, str], info: AgentInfo) -> Naming:
    """The naming that fits what this agent serves."""
    served = {
        entity.name: frozenset(column.name for column in entity.columns) for entity in info.entities
    }
    return Naming(configured, served)


def translate_info(naming: Naming, info: AgentInfo, call: Call) -> AgentInfo:
    """The same with canonical names. Raises AgentMisfit when two columns get one name."""
    entities = tuple(_entity(naming, entity, call) for entity in info.entities)
    return msgspec.structs.replace(info, entities=entities)


def translate_page(naming: Naming, entity: str, page: Page) -> Page:
    """The same with canonical names."""
    columns = naming.canonical(entity, page.columns)
    return page if columns == page.columns else msgspec.structs.replace(page, columns=columns)


def _entity(naming: Naming, entity: Entity, call: Call) -> Entity:
    theirs = tuple(column.name for column in entity.columns)
    names = naming.canonical(entity.name, theirs)
    taken: dict[str, str] = {}
    for name, column in zip(names, theirs, strict=True):
        if name in taken:
            raise AgentMisfit(
                f"{entity.name} has two columns that would both be {name}: "
                f"{taken[name]} and {column}.",
                call,
                remedy=f"Remove {name} from [sage100.columns], or map it to another column.",
            )
        taken[name] = column
    columns = tuple(
        msgspec.structs.replace(column, name=name)
        for column, name in zip(entity.columns, names, strict=True)
    )
    return Entity(entity.name, naming.canonical(entity.name, entity.key), columns)
