"""Secrets come from the environment or from files of their own, never from the configuration.

A configuration file is copied, mailed to support and kept in version control; so a literal secret
in it is refused, and the message does not repeat it.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from connector.secret import Secret, control_character, unfit_for_a_header

_LIMIT_BYTES: Final = 64 * 1024
_BYTE_ORDER_MARK: Final = "\ufeff"
_SHAPE: Final = '{ env = "NAME" } or { file = "PATH" }'


class Unresolved(ValueError):
    """The secret cannot be had; the text says why and never holds any part of it."""


class Unavailable(Unresolved):
    """The file says rightly where it is, but it is not there, or is of no use."""


def text(value: str) -> str:
    """Why a password is of no use; "" when it is."""
    place = control_character(value)
    return f"holds a line break or another control character (at place {place})" if place else ""


def lines(_value: str) -> str:
    """A private key in PEM is read, and refused, where it is used."""
    return ""


Objection = Callable[[str], str]
header: Final[Objection] = unfit_for_a_header


def resolve(
    raw: Any, *, folder: Path, env: Mapping[str, str], objection: Objection = text
) -> tuple[Secret, str]:
    """The secret, and a notice ("" for none) when its file is open to other users.

    `objection`: what speaks against a value, "" for nothing. Raises Unresolved.
    """
    if isinstance(raw, str):
        raise Unresolved(f"a secret must not be written into this file: use {_SHAPE}")
    if not isinstance(raw, dict) or len(raw) != 1 or not {"env", "file"} >= raw.keys():
        raise Unresolved(f"expected {_SHAPE}, and nothing else")
    ((kind, name),) = raw.items()
    if not isinstance(name, str) or not name:
        raise Unresolved(f"expected {_SHAPE}, with a name that is not empty")
    if kind == "env":
        where, value, notice = _from_env(name, env)
    else:
        where, value, notice = _from_file(folder / name)
    why = objection(value)
    if why:
        raise Unavailable(f"{where} {why}: write it anew, the value alone")
    return Secret(value), notice


def _from_env(name: str, env: Mapping[str, str]) -> tuple[str, str, str]:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is None:
        # It may be the secret itself, put in the wrong place: not repeated.
        raise Unresolved("an environment variable's name has only letters, digits and '_'")
    where = f"the environment variable {name}"
    value = env.get(name)
    if value is None:
        raise Unavailable(f"{where} is not set")
    if not value.strip():
        raise Unavailable(f"{where} is empty")
    return where, value, ""


def _from_file(path: Path) -> tuple[str, str, str]:
    where = f"the secret's file {path}"
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            value = file.read(_LIMIT_BYTES + 1)
    except OSError as problem:
        raise Unavailable(f"cannot read {where}: {problem.strerror}") from None
    if len(value) > _LIMIT_BYTES:
        raise Unavailable(f"{where} is larger than {_LIMIT_BYTES // 1024} KiB")
    try:
        content = value.decode().removeprefix(_BYTE_ORDER_MARK).strip("\r\n")
    except UnicodeDecodeError:
        raise Unavailable(f"{where} is not UTF-8 text") from None
    if not content.strip():
        raise Unavailable(f"{where} is empty")
    notice = ""
    if mode & 0o077:
        notice = f"{path} holds a secret and is open to other users: chmod 600 {path}"
    return where, content, notice
