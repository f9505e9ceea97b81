"""From the parsed file to the settings, collecting every mistake on the way.

The structs of `connector.config.settings` are walked side by side with what the TOML parser
found: a key without a field is unknown, a field without a key and default is missing, and each
leaf is read by its own rule. A table with a mistake is given up, its neighbours are still read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from connector.config.leaves import Leaf, Missing, Refused, Surroundings
from connector.config.locate import Path, line_of
from connector.config.problems import Problem, nearest, shown
from connector.config.settings import Tables
from connector.errors import Misconfigured
from connector.secret import AbsentSecret

T = TypeVar("T", bound=msgspec.Struct)

_WRONG: Final = object()
_BRING: Final = "Set it for this command as for the service, or correct where it is looked for."


class Reader:
    """One reading of one file."""

    def __init__(self, lines: dict[Path, int], around: Surroundings) -> None:
        """`lines`: from `locate.lines_of`; `problems` fills while reading."""
        self._lines = lines
        self._around = around
        self._homes = _homes(Tables)
        self.problems: list[Problem] = []

    def refuse(self, path: Path, message: str) -> None:
        """Note a mistake at a key."""
        self.problems.append(Problem(dotted(path), message, line_of(self._lines, path)))

    def table(self, cls: type[T], raw: dict[str, Any], path: Path = ()) -> T | None:
        """The settings of one table, or None when something in it is wrong."""
        fields = {field.encode_name: field for field in msgspec.structs.fields(cls)}
        fine = True
        for key in raw.keys() - fields.keys():
            self.refuse((*path, key), self._unknown(key, fields, path))
            fine = False
        values: dict[str, Any] = {}
        for key, field in fields.items():
            if key in raw:
                value = self._value(field.type, raw[key], (*path, key))
                fine = fine and value is not _WRONG
                values[field.name] = value
            elif field.required:
                where = f"[{_header(path)}]" if path else "the file"
                self.refuse((*path, key), f"missing: {where} needs {_wanted(field.type, key)}")
                fine = False
        return cls(**values) if fine else None

    def _value(self, kind: Any, raw: Any, path: Path) -> Any:
        leaf = _leaf(kind)
        if leaf is not None:
            return self._leaf_value(leaf, raw, path)
        if get_origin(kind) is Literal:
            return self._choice(get_args(kind), raw, path)
        if get_origin(kind) is tuple:
            return self._tables(get_args(kind)[0], raw, path)
        if not isinstance(raw, dict):
            self.refuse(path, f"expected a table [{_header(path)}]")
            return _WRONG
        found = self.table(kind, raw, path)
        return _WRONG if found is None else found

    def _leaf_value(self, leaf: Leaf, raw: Any, path: Path) -> Any:
        try:
            return leaf.read(raw, self._around)
        except Refused as problem:
            reason = str(problem)
            if isinstance(problem, Missing) and not self._around.secrets_needed:
                return AbsentSecret(Misconfigured(reason, where=dotted(path), remedy=_BRING))
            if leaf.private:
                self.refuse(path, reason)
            else:
                seen = f"expected {leaf.expected}, found {_safe(raw)}"
                self.refuse(path, f"{seen}: {reason}" if reason else seen)
            return _WRONG

    def _choice(self, choices: tuple[str, ...], raw: Any, path: Path) -> Any:
        if raw in choices:
            return raw
        listed = " or ".join(f'"{choice}"' for choice in choices)
        close = nearest(raw, choices) if isinstance(raw, str) else ""
        hint = f': did you mean "{close}"?' if close else ""
        self.refuse(path, f"expected {listed}, found {shown(raw)}{hint}")
        return _WRONG

    def _tables(self, cls: type[Any], raw: Any, path: Path) -> Any:
        if not isinstance(raw, list) or not raw or not all(isinstance(each, dict) for each in raw):
            self.refuse(path, f"expected one or more tables, each begun by [[{_header(path)}]]")
            return _WRONG
        found = [self.table(cls, each, (*path, index)) for index, each in enumerate(raw)]
        return tuple(found) if all(each is not None for each in found) else _WRONG

    def _unknown(self, key: str, fields: Iterable[str], path: Path) -> str:
        close = nearest(key, fields)
        if close:
            return f'unknown key: did you mean "{close}"?'
        here = _header(path)
        homes = self._homes.get(key, [])
        outer = next((home for home in homes if home and here.startswith(f"{home}.")), "")
        if outer:
            # What follows a [header] belongs to it, wherever the author meant it to be.
            return f"unknown key in [{here}]: it belongs to [{outer}], so put it above [{here}]"
        if homes:
            places = " or ".join(f"[{home}]" if home else "the top of the file" for home in homes)
            return f"unknown key in {f'[{here}]' if here else 'the file'}: it belongs to {places}"
        return f"unknown key: expected one of {', '.join(sorted(fields))}"


def dotted(path: Path) -> str:
    """`("sage100", 0, "auth")` as `sage100[0].auth`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _header(path: Path) -> str:
    return ".".join(part for part in path if isinstance(part, str))


def _leaf(kind: Any) -> Leaf | None:
    if get_origin(kind) is Annotated:
        return next((each for each in get_args(kind)[1:] if isinstance(each, Leaf)), None)
    return None


def _safe(raw: Any) -> str:
    """What was found, without the part of an address that could be a password."""
    if isinstance(raw, str) and "@" in raw and "://" in raw:
        return f"'{raw.partition('://')[0]}://…@{raw.rpartition('@')[2]}'"
    return shown(raw)


def _wanted(kind: Any, key: str) -> str:
    leaf = _leaf(kind)
    if leaf is not None:
        return f"{key} = {leaf.expected}"
    if get_origin(kind) is Literal:
        return f"{key} = " + " or ".join(f'"{choice}"' for choice in get_args(kind))
    return f"a table {key}"


def _homes(cls: type[msgspec.Struct], header: str = "") -> dict[str, list[str]]:
    """Every key of the file to the tables it may stand in."""
    homes: dict[str, list[str]] = {}
    for field in msgspec.structs.fields(cls):
        homes.setdefault(field.encode_name, []).append(header)
        for inner in _structs(field.type):
            below = f"{header}.{field.encode_name}".removeprefix(".")
            for key, places in _homes(inner, below).items():
                homes.setdefault(key, []).extend(places)
    return homes


def _structs(kind: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    elif get_origin(kind) in {tuple, Union, UnionType}:
        for part in get_args(kind):
            yield from _structs(part)
