"""What does not fit in a mapping, as whoever wrote it needs it: which key, where, what was meant.

The decoder stops at the first thing that is not as the rules want it, and says so in its own terms.
Here its words become the section, the property and the key of the file, with what is expected there
and the nearest valid name.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from types import UnionType
from typing import Any, Final, Literal, NamedTuple, Union, get_args, get_origin

import msgspec

from projections.mapping import rules

Path = tuple[str | int, ...]

_SAID: Final = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<at>.*)`)?", re.DOTALL)
_PART: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(.*)`")
_EXPECTED: Final = re.compile(r"Expected `(\w+)[^`]*`")
_KINDS: Final = {
    "str": "a text",
    "int": "a whole number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}


class Misfit(NamedTuple):
    """`path`: the key of the file; `what`: section, property, key, and what is wrong with it."""

    path: Path
    what: str


def explain(error: msgspec.ValidationError, document: Any) -> Misfit:
    """What the decoder objects to in this document."""
    said = _SAID.fullmatch(str(error))
    what, at = (said["what"], said["at"] or "") if said is not None else (str(error), "")
    path = _path(at, document)
    unknown, missing = _UNKNOWN.fullmatch(what), _MISSING.fullmatch(what)
    if unknown is not None:
        known = _names(path)
        hint = nearest(unknown[1], known) or f": expected one of {', '.join(sorted(known))}"
        return Misfit(
            (*path, unknown[1]), f'{place(path, document)}unknown key "{unknown[1]}"{hint}'
        )
    if missing is not None:
        return Misfit(path, f'{place(path, document)}the key "{missing[1]}" is missing')
    return Misfit(
        path, f"{place(path, document)}{_expected(what, path)}, found {_at(path, document)!r}"
    )


def place(path: Path, document: Any) -> str:
    """`[companies] property "phone", owner: `; "" for the file as a whole."""
    if not path:
        return ""
    words = [f"[{path[0]}]"]
    rest = path[1:]
    if len(rest) > 1 and rest[0] == "rules" and isinstance(rest[1], int):
        rule = _at(path[:3], document)
        name = rule.get("property") if isinstance(rule, dict) else None
        words.append(f'property "{name}"' if isinstance(name, str) else f"rule {rest[1] + 1}")
        rest = rest[2:]
    keys = ".".join(str(part) for part in rest)
    return f"{' '.join(words)}{f', {keys}' if keys else ''}: "


def nearest(name: str, known: Iterable[str]) -> str:
    """`: did you mean "owner"?`, or "" when nothing is near."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f': did you mean "{close[0]}"?' if close else ""


def _path(at: str, document: Any) -> Path:
    path: Path = ()
    for name, index in _PART.findall(at):
        if index == "...":  # some value of a table: the first that is no text
            found = _at(path, document)
            values = found.items() if isinstance(found, dict) else ()
            name = next((key for key, value in values if not isinstance(value, str)), "")
        path = (*path, name if name or index == "..." else int(index))
    return path


def _at(path: Path, document: Any) -> Any:
    for part in path:
        try:
            document = document[part]
        except (LookupError, TypeError):
            return None
    return document


def _kind(path: Path) -> Any:
    """The type that the rules want at a path."""
    kind: Any = rules.Mapping
    for part in path:
        kind = _bare(kind)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
            kind = fields.get(str(part))
        else:
            kind = next(iter(get_args(kind)[-2 if get_origin(kind) is tuple else -1 :]), None)
    return _bare(kind)


def _bare(kind: Any) -> Any:
    """The type without its "or nothing"."""
    if get_origin(kind) in {Union, UnionType}:
        return next(one for one in get_args(kind) if one is not type(None))
    return kind


def _names(path: Path) -> list[str]:
    kind = _kind(path)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [field.encode_name for field in msgspec.structs.fields(kind)]
    return []


def _expected(what: str, path: Path) -> str:
    kind = _kind(path)
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        listed = " or ".join(f'"{one}"' if isinstance(one, str) else str(one) for one in choices)
        return f"expected {listed}"
    named = _EXPECTED.match(what)
    return f"expected {_KINDS.get(named[1], named[1])}" if named is not None else what
