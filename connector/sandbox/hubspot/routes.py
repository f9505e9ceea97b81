"""Every endpoint of the simulated API: its name, path, window, scope and function.

The names are what faults and counts refer to: `objects.batch.upsert`, or `objects.batch` for all
five. `V` in a path stands for the date version, `T` for the object type, `TO` for the other one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from . import customs, deals, links, merging, reads, schema, search, writes
from .exchange import Reply, Request
from .kinds import NATIVE
from .limiter import Window
from .portal import Portal
from .refusals import Refusal, not_found

Endpoint = Callable[[Portal, Request], Reply]
Access = Literal[
    "none", "read", "write", "schema_read", "schema_write", "custom_read", "custom_write"
]


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint."""

    name: str
    method: str
    path: str
    older_path: str | None = None
    """The same in the families v3 and v4, where that is another path."""
    endpoint: Endpoint
    access: Access
    window: Window = "general"

    @property
    def write(self) -> bool:
        """True when it may change the portal."""
        return self.access.endswith("write")

    def scopes(self, object_types: Sequence[str]) -> list[list[str]]:
        """What the token needs: one scope out of each list."""
        if self.access == "none":
            return []
        if self.access == "schema_write":
            return [
                ["e-commerce" if one == "line_items" else f"crm.schemas.{one}.write"]
                for one in object_types
            ]
        if self.access == "custom_write":
            return [["crm.schemas.custom.write"]]
        if self.access == "custom_read":
            return [["crm.schemas.custom.read", "crm.objects.custom.read"]]
        if self.access == "schema_read":
            return [
                [f"crm.schemas.{one}.read", f"crm.objects.{one}.read", f"crm.objects.{one}.write"]
                for one in object_types
            ]
        return [[f"crm.objects.{one}.{self.access}"] for one in object_types]


def _nothing_here(_portal: Portal, _request: Request) -> Reply:
    raise Refusal(not_found())


NOT_FOUND = Route(name="unknown", method="*", path="", endpoint=_nothing_here, access="none")

_OBJECTS = "/crm/objects/V/T"
_LINKS = "/crm/associations/V/T/TO/batch"
_ONE_LINK = "/crm/objects/V/T/ID/associations"
_PROPERTIES = "/crm/properties/V/T"
_SCHEMAS = "/crm-object-schemas/V/schemas"

_TABLE: tuple[tuple[str, str, str, Endpoint, Access], ...] = (
    ("objects.batch.read", "POST", f"{_OBJECTS}/batch/read", reads.batch_read, "read"),
    ("objects.batch.create", "POST", f"{_OBJECTS}/batch/create", writes.batch_create, "write"),
    ("objects.batch.update", "POST", f"{_OBJECTS}/batch/update", writes.batch_update, "write"),
    ("objects.batch.upsert", "POST", f"{_OBJECTS}/batch/upsert", writes.batch_upsert, "write"),
    ("objects.batch.archive", "POST", f"{_OBJECTS}/batch/archive", reads.batch_archive, "write"),
    ("objects.search", "POST", f"{_OBJECTS}/search", search.search, "read"),
    ("objects.merge", "POST", f"{_OBJECTS}/merge", merging.merge_endpoint, "write"),
    ("objects.list", "GET", _OBJECTS, reads.page, "read"),
    ("objects.create", "POST", _OBJECTS, writes.create, "write"),
    ("objects.get", "GET", f"{_OBJECTS}/ID", reads.get, "read"),
    ("objects.update", "PATCH", f"{_OBJECTS}/ID", writes.update, "write"),
    ("objects.archive", "DELETE", f"{_OBJECTS}/ID", reads.archive, "write"),
    (
        "associations.batch.default",
        "POST",
        f"{_LINKS}/associate/default",
        links.associate_default,
        "write",
    ),
    ("associations.batch.create", "POST", f"{_LINKS}/create", links.batch_create, "write"),
    ("associations.batch.read", "POST", f"{_LINKS}/read", links.batch_read, "read"),
    ("associations.batch.archive", "POST", f"{_LINKS}/archive", links.batch_archive, "write"),
    (
        "associations.batch.labels",
        "POST",
        f"{_LINKS}/labels/archive",
        links.batch_labels_archive,
        "write",
    ),
    ("associations.default", "PUT", f"{_ONE_LINK}/default/TO/TO_ID", links.put_default, "write"),
    ("associations.list", "GET", f"{_ONE_LINK}/TO", links.listed, "read"),
    ("associations.create", "PUT", f"{_ONE_LINK}/TO/TO_ID", links.put_typed, "write"),
    ("associations.archive", "DELETE", f"{_ONE_LINK}/TO/TO_ID", links.delete, "write"),
    ("properties.groups.list", "GET", f"{_PROPERTIES}/groups", schema.groups, "schema_read"),
    (
        "properties.groups.create",
        "POST",
        f"{_PROPERTIES}/groups",
        schema.create_group,
        "schema_write",
    ),
    ("properties.groups.get", "GET", f"{_PROPERTIES}/groups/NAME", schema.get_group, "schema_read"),
    (
        "properties.groups.update",
        "PATCH",
        f"{_PROPERTIES}/groups/NAME",
        schema.update_group,
        "schema_write",
    ),
    (
        "properties.groups.archive",
        "DELETE",
        f"{_PROPERTIES}/groups/NAME",
        schema.delete_group,
        "schema_write",
    ),
    (
        "properties.batch.create",
        "POST",
        f"{_PROPERTIES}/batch/create",
        schema.batch_create,
        "schema_write",
    ),
    (
        "properties.batch.read",
        "POST",
        f"{_PROPERTIES}/batch/read",
        schema.batch_read,
        "schema_read",
    ),
    (
        "properties.batch.archive",
        "POST",
        f"{_PROPERTIES}/batch/archive",
        schema.batch_archive,
        "schema_write",
    ),
    ("properties.list", "GET", _PROPERTIES, schema.properties, "schema_read"),
    ("properties.create", "POST", _PROPERTIES, schema.create, "schema_write"),
    ("properties.get", "GET", f"{_PROPERTIES}/NAME", schema.get, "schema_read"),
    ("properties.update", "PATCH", f"{_PROPERTIES}/NAME", schema.update, "schema_write"),
    ("properties.archive", "DELETE", f"{_PROPERTIES}/NAME", schema.archive, "schema_write"),
    ("schemas.list", "GET", _SCHEMAS, customs.listed, "custom_read"),
    ("schemas.create", "POST", _SCHEMAS, customs.create, "custom_write"),
    ("schemas.get", "GET", f"{_SCHEMAS}/T", customs.get, "custom_read"),
    ("schemas.archive", "DELETE", f"{_SCHEMAS}/T", customs.delete, "custom_write"),
    ("pipelines.list", "GET", "/crm/pipelines/V/T", deals.listed, "schema_read"),
    ("account.details", "GET", "/account-info/V/details", schema.account, "none"),
    ("account.usage", "GET", "/account-info/V/api-usage/daily/private-apps", schema.usage, "none"),
)


def _window(name: str) -> Window:
    if name == "objects.search":
        return "search"
    return "association" if name.startswith("associations.batch") else "general"


_PLACES = {
    "V": "{version}",
    "T": "{type}",
    "TO": "{to}",
    "ID": "{id}",
    "TO_ID": "{to_id}",
    "NAME": "{name}",
}

_OLDER = (
    (_ONE_LINK, "/crm/v4/objects/T/ID/associations"),
    (_OBJECTS, "/crm/v3/objects/T"),
    (_LINKS, "/crm/v4/associations/T/TO/batch"),
    (_PROPERTIES, "/crm/v3/properties/T"),
    (_SCHEMAS, "/crm/v3/schemas"),
    ("/crm/pipelines/V/T", "/crm/v3/pipelines/T"),
)
"""The path families before date versions."""


def _path(path: str) -> str:
    places = (_PLACES.get(part, part) for part in path.split("/"))
    return "/".join(f"{{version:{part}}}" if part in ("v3", "v4") else part for part in places)


def _older(path: str) -> str | None:
    """The path of an endpoint before date versions, where it was another one."""
    for new, old in _OLDER:
        if path == new or path.startswith(f"{new}/"):
            return _path(old + path.removeprefix(new))
    return None


ROUTES: tuple[Route, ...] = tuple(
    Route(
        name=name,
        method=method,
        path=_path(path),
        older_path=_older(path),
        endpoint=endpoint,
        access=access,
        window=_window(name),
    )
    for name, method, path, endpoint, access in _TABLE
)
"""In the order in which they are matched."""

SCOPES: frozenset[str] = frozenset(
    scope
    for route in ROUTES
    for any_of in route.scopes([*(kind.scope for kind in NATIVE), "custom"])
    for scope in any_of
)
"""Every scope that some endpoint asks for."""


def must_be_known(scopes: Sequence[str]) -> None:
    """Raises ValueError for a scope that no endpoint asks for: mistyped, it would grant nothing."""
    unknown = sorted(set(scopes) - SCOPES)
    if unknown:
        raise ValueError(
            f"no endpoint asks for {', '.join(unknown)}; there are {', '.join(sorted(SCOPES))}"
        )
