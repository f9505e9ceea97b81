"""Secrets come from the environment or from files of their own, never from the configuration.

A configuration file is copied, mailed to support and kept in version control; so a literal secret
in it is refused, and the message does not repeat it.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from connector.secret import Secret

_LIMIT_BYTES: Final = 64 * 1024
_SHAPE: Final = '{ env = "NAME" } or { file = "PATH" }'


class Unresolved(ValueError):
    """The secret cannot be had; the text says why and never holds any part of it."""


def resolve(raw: Any, *, folder: Path, env: Mapping[str, str]) -> tuple[Secret, str]:
    """The secret, and a notice ("" for none) when its file is open to other users.

    Raises Unresolved.
    """
    if isinstance(raw, str):
        raise Unresolved(f"a secret must not be written into this file: use {_SHAPE}")
    if not isinstance(raw, dict) or len(raw) != 1 or not {"env", "file"} >= raw.keys():
        raise Unresolved(f"expected {_SHAPE}, and nothing else")
    ((kind, name),) = raw.items()
    if not isinstance(name, str) or not name:
        raise Unresolved(f"expected {_SHAPE}, with a name that is not empty")
    return _from_env(name, env) if kind == "env" else _from_file(folder / name)


def _from_env(name: str, env: Mapping[str, str]) -> tuple[Secret, str]:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is None:
        # It may be the secret itself, put in the wrong place: not repeated.
        raise Unresolved("an environment variable's name has only letters, digits and '_'")
    value = env.get(name)
    if value is None:
        raise Unresolved(f"the environment variable {name} is not set")
    if not value.strip():
        raise Unresolved(f"the environment variable {name} is empty")
    return Secret(value), ""


def _from_file(path: Path) -> tuple[Secret, str]:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            value = file.read(_LIMIT_BYTES + 1)
    except OSError as problem:
        raise Unresolved(f"cannot read the secret's file {path}: {problem.strerror}") from None
    if len(value) > _LIMIT_BYTES:
        raise Unresolved(f"the secret's file {path} is larger than {_LIMIT_BYTES // 1024} KiB")
    try:
        text = value.decode().strip("\r\n")
    except UnicodeDecodeError:
        raise Unresolved(f"the secret's file {path} is not UTF-8 text") from None
    if not text.strip():
        raise Unresolved(f"the secret's file {path} is empty")
    notice = ""
    if mode & 0o077:
        notice = f"{path} holds a secret and is open to other users: chmod 600 {path}"
    return Secret(text), notice
