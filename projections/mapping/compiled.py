"""A mapping made ready for use: parsed, checked as a whole, and turned into tuples.

`parse` reads the TOML text, `restore` the copy in the log; both refuse a mapping that could not
work, naming the rule. `CompiledObject.shape` is the hot path of every projection.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from projections import likeness
from projections.likeness import Kind
from projections.mapping import misfit, rules
from projections.mapping.facts import DERIVED
from projections.mapping.transforms import NUMERIC, TEXT_LIMIT, TRANSFORMS, Transform
from projections.values import REPLACEMENT

# Sets of served columns to remember the steps of: one per company, and companies are few.
_MOST_SERVED: Final = 64
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,99}")
_TEXT: Final = TRANSFORMS["text"]
_COLUMN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")


class MappingError(ValueError):
    """The mapping cannot be used. `path`: the key of its file that is wrong; () for all of it."""

    def __init__(self, what: str, origin: str = "", path: misfit.Path = ()) -> None:
        """`origin`: of the mapping, a file for instance; `what` says the rest."""
        self.what = what
        self.path = path
        super().__init__(f"{origin}: {what}" if origin else what)


class CompiledRule(NamedTuple):
    """One rule, resolved. `rank`: position of each value in a forward-only order, else None.

    `kind`: what its property takes, as `likeness` has it.
    """

    property: str
    source: str
    derived: bool
    transform: Transform
    numeric: bool
    owner: rules.Owner
    values: dict[str, str] | None
    rank: dict[str, int] | None
    explicit: bool
    kind: Kind


# A rule as the hot path wants it: property, source, value of a cell that is not there (None: leave
# the property alone), transform of any other.
_Step = tuple[str, str, str | None, Transform]


class CompiledObject(NamedTuple):
    """One object's mapping, resolved. `explicit`: properties told to new records even if empty."""

    hubspot_type: str
    key: str
    rules: tuple[CompiledRule, ...]
    by_property: dict[str, CompiledRule]
    steps: tuple[_Step, ...]
    explicit: frozenset[str]
    served: dict[tuple[str, ...], tuple[_Step, ...]]

    def shape(
        self, row: Mapping[str, str], derived: Mapping[str, str], served: tuple[str, ...]
    ) -> dict[str, str]:
        """The desired properties: property to value; "" clears, a missing one is left alone.

        `row`: raw cells without the empty ones. `served`: columns the agent serves; a column it
        does not serve is unknown, not empty. An empty `served` means that nothing is known of it.
        """
        steps = self.steps
        if served:
            steps = self.served.get(served) or self._serve(served)
        # A fact has a dot in its name and a column has none: they cannot get in each other's way.
        cell_of = {**row, **derived}.get
        desired: dict[str, str] = {}
        for name, source, missing, transform in steps:
            cell = cell_of(source)
            if cell is None:
                value = missing
            elif (
                transform is _TEXT
                and cell.isprintable()
                and REPLACEMENT not in cell
                and len(cell) <= TEXT_LIMIT
            ):
                value = cell.strip()  # clean text, by far the most, without the call
            else:
                value = transform(cell)
            if value is not None:
                desired[name] = value
        return desired

    def _serve(self, served: tuple[str, ...]) -> tuple[_Step, ...]:
        """The steps when the agent serves these columns only; remembered."""
        if len(self.served) >= _MOST_SERVED:
            self.served.clear()
        known = frozenset(served)
        steps = tuple(
            (name, source, missing if source in known else None, transform)
            for name, source, missing, transform in self.steps
        )
        self.served[served] = steps
        return steps


class CompiledMapping(NamedTuple):
    """A whole mapping, resolved, and its digest (SHA-256 hex of its canonical JSON)."""

    digest: str
    source: rules.Mapping
    objects: dict[str, CompiledObject]


def parse(text: str, *, origin: str = "mapping") -> CompiledMapping:
    """Read a mapping file's text. Raises MappingError naming `origin`, place, and remedy."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"not valid TOML: {error}", origin) from None
    return _convert(document, origin)


def restore(document: Mapping[str, Any], *, origin: str = "mapping in the log") -> CompiledMapping:
    """Read a mapping's content: that of a MappingActivated event, or a file's, taken apart."""
    return _convert(document, origin)


def content(mapping: CompiledMapping) -> dict[str, Any]:
    """The mapping as plain data, for the log; `restore` takes it back."""
    plain: dict[str, Any] = msgspec.to_builtins(mapping.source)
    return plain


def _convert(document: Mapping[str, Any], origin: str) -> CompiledMapping:
    try:
        mapping = msgspec.convert(document, rules.Mapping)
    except msgspec.ValidationError as error:
        found = misfit.explain(error, document)
        raise MappingError(found.what, origin, found.path) from None
    try:
        objects = {name: _compile(one, name) for name, one in mapping.objects().items()}
    except _Wrong as wrong:
        what = f"{misfit.place(wrong.path, document)}{wrong}"
        raise MappingError(what, origin, wrong.path) from None
    canonical = msgspec.json.encode(mapping, order="sorted")
    return CompiledMapping(hashlib.sha256(canonical).hexdigest(), mapping, objects)


class _Wrong(Exception):
    """A key that is of the right kind and says nothing that could be carried out."""

    def __init__(self, what: str, *path: str | int) -> None:
        self.path = path
        super().__init__(what)


def _compile(section: rules.ObjectMapping, name: str) -> CompiledObject:
    compiled: dict[str, CompiledRule] = {}
    if _NAME.fullmatch(section.key) is None:
        raise _Wrong(f"{section.key!r} is no HubSpot property name", name, "key")
    for index, rule in enumerate(section.rules):
        place = (name, "rules", index)
        if _NAME.fullmatch(rule.property) is None:
            raise _Wrong("no HubSpot property name (a-z, 0-9 and _)", *place, "property")
        if rule.property in compiled or rule.property == section.key:
            raise _Wrong("mapped twice", *place, "property")
        derived = "." in rule.source
        if derived and rule.source not in DERIVED:
            close = misfit.nearest(rule.source, DERIVED)
            raise _Wrong(f'there is no fact "{rule.source}"{close}', *place, "from")
        if not derived and _COLUMN.fullmatch(rule.source) is None:
            raise _Wrong(f"{rule.source!r} is no Sage 100 column name", *place, "from")
        transform = TRANSFORMS.get(rule.transform)
        if transform is None:
            close = misfit.nearest(rule.transform, TRANSFORMS)
            raise _Wrong(f'there is no transform "{rule.transform}"{close}', *place, "transform")
        compiled[rule.property] = CompiledRule(
            property=rule.property,
            source=rule.source,
            derived=derived,
            transform=transform,
            numeric=rule.transform in NUMERIC and not rule.values,
            owner=rule.owner,
            values=rule.values or None,
            rank={value: index for index, value in enumerate(rule.forward)} or None,
            explicit=rule.explicit,
            kind=likeness.kind_of(rule),
        )
    steps = tuple(_step(rule) for rule in compiled.values())
    every = tuple(compiled.values())
    explicit = frozenset(rule.property for rule in every if rule.explicit)
    return CompiledObject(section.hubspot_type, section.key, every, compiled, steps, explicit, {})


def _step(rule: CompiledRule) -> _Step:
    if rule.values is None:
        transform, empty = rule.transform, rule.transform("")
    else:
        transform, empty = _explicit(rule.values), rule.values.get("")
    # A fact left out is not known; a column left out is empty, if it is served.
    return rule.property, rule.source, None if rule.derived else empty, transform


def _explicit(values: Mapping[str, str]) -> Transform:
    return lambda cell: values.get(cell.strip())
