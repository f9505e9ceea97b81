"""How each kind of value in the configuration file is read, and what to say when it cannot be.

A leaf turns what the TOML parser found into what the service uses, or refuses it with a reason.
Nothing here opens a connection; the only files looked at are the ones a value names.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

import msgspec

from connector.config import secrets
from connector.errors import Misconfigured
from connector.sage100.endpoint import is_loopback
from connector.sage100.schedule import interval, quiet_hours, schedule
from connector.secret import Secret


class Refused(ValueError):
    """The value is not what the key needs; the text says why."""


class Missing(Refused):
    """What the value refers to is not there; who does not need it can do without."""


class Surroundings(msgspec.Struct, frozen=True):
    """What a value may refer to: files beside the configuration, and environment variables.

    `secrets_needed`: a secret that is not there is refused; else only where it is wanted.
    """

    folder: Path
    env: Mapping[str, str]
    notices: list[str]
    secrets_needed: bool = True


class Leaf(msgspec.Struct, frozen=True):
    """One kind of value: what the file must say, and how it is read. `private`: never repeated."""

    expected: str
    read: Callable[[Any, Surroundings], Any]
    private: bool = False


def _text(raw: Any, _: Surroundings) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise Refused
    return raw


def _switch(raw: Any, _: Surroundings) -> bool:
    if not isinstance(raw, bool):
        raise Refused
    return raw


def _matching(pattern: str) -> Callable[[Any, Surroundings], str]:
    compiled = re.compile(pattern)

    def read(raw: Any, _: Surroundings) -> str:
        if not isinstance(raw, str) or compiled.fullmatch(raw) is None:
            raise Refused
        return raw

    return read


def _duration(raw: Any, _: Surroundings) -> timedelta:
    if not isinstance(raw, str):
        raise Refused
    try:
        return interval(raw)
    except Misconfigured:
        raise Refused from None


def _schedule(raw: Any, _: Surroundings) -> str:
    if not isinstance(raw, str):
        raise Refused
    try:
        return schedule(raw).text
    except Misconfigured as problem:
        # The reason stands in brackets in the middle of the sentence; the rest is said here.
        reason = re.search(r"\((.+)\)", problem.what.removeprefix(repr(raw)))
        raise Refused(reason.group(1) if reason else "") from None


def _periods(raw: Any, _: Surroundings) -> int:
    if type(raw) is not int or not 1 <= raw <= 36:
        raise Refused
    return raw


def _share(raw: Any, _: Surroundings) -> float:
    found = re.fullmatch(r"(\d{1,3}(?:\.\d)?) ?%", raw) if isinstance(raw, str) else None
    if found is None or not 1 <= float(found[1]) <= 100:
        raise Refused
    return float(found[1]) / 100


def _reserve(raw: Any, _: Surroundings) -> float:
    found = re.fullmatch(r"(\d{1,2}(?:\.\d)?) ?%", raw) if isinstance(raw, str) else None
    if found is None or float(found[1]) > 90:
        raise Refused
    return float(found[1]) / 100


def _zone(raw: Any, _: Surroundings) -> str:
    known = zoneinfo.available_timezones()
    if not isinstance(raw, str):
        raise Refused
    if raw not in known:
        close = [name for name in sorted(known) if name.casefold().endswith(raw.casefold())]
        raise Refused(f'did you mean "{close[0]}"?' if raw and close else "")
    return raw


def _split(raw: Any) -> SplitResult:
    if not isinstance(raw, str) or re.search(r"[\s\x00-\x1f]", raw):
        raise Refused
    try:
        url = urlsplit(raw)
        port = url.port
    except ValueError:
        raise Refused("the port or host is malformed") from None
    if url.scheme not in {"http", "https"} or not url.hostname or port == 0:
        raise Refused
    if url.username is not None or url.password is not None:
        raise Refused("user names and passwords do not belong into an address")
    if url.query or url.fragment:
        raise Refused("leave out everything from '?' or '#' on")
    return url


def _address(raw: Any, _: Surroundings) -> str:
    url = _split(raw)
    if url.scheme == "http" and not is_loopback(url.hostname or ""):
        raise Refused("plain http would send passwords and customer data readable by anyone")
    return str(raw).rstrip("/")


def _collector(raw: Any, _: Surroundings) -> str:
    _split(raw)
    return str(raw).rstrip("/")


def _quiet_hours(raw: Any, _: Surroundings) -> tuple[str, ...]:
    if not isinstance(raw, list) or not all(isinstance(span, str) for span in raw):
        raise Refused
    try:
        quiet_hours(raw)
    except Misconfigured as problem:
        raise Refused(problem.what) from None
    return tuple(raw)


def _listen(raw: Any, _: Surroundings) -> str:
    host, colon, port = raw.rpartition(":") if isinstance(raw, str) else ("", "", "")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) <= 65535):
        raise Refused
    return f"{host}:{int(port)}"


def _store_url(raw: Any, around: Surroundings) -> str:
    """`sqlite:///` + path: relative to the configuration, absolute with one more slash."""
    if isinstance(raw, str) and raw.startswith(("postgresql://", "postgres://")):
        return raw
    if not isinstance(raw, str) or not raw.startswith("sqlite:///") or raw.endswith("/"):
        raise Refused
    if "?" in raw or "#" in raw:
        raise Refused("it takes no options; in a file name write ? and # as %3F and %23")
    path = around.folder / unquote(raw.removeprefix("sqlite:///"))
    return f"sqlite:///{quote(str(path))}"


def _file(raw: Any, around: Surroundings) -> Path:
    if not isinstance(raw, str) or not raw:
        raise Refused
    path = around.folder / raw
    try:
        with path.open("rb"):
            return path
    except OSError as problem:
        raise Refused(f"cannot read {path}: {problem.strerror}") from None


def _new_file(raw: Any, around: Surroundings) -> Path:
    if not isinstance(raw, str) or not raw or raw.endswith("/") or "\0" in raw:
        raise Refused
    return around.folder / raw


def _command(raw: Any, _: Surroundings) -> tuple[str, ...]:
    if not isinstance(raw, list) or not all(isinstance(each, str) for each in raw):
        raise Refused
    if not raw or not Path(raw[0]).is_absolute() or any("\0" in each for each in raw):
        raise Refused("the program is named by its absolute path, its arguments follow")
    return tuple(raw)


def _companies(raw: Any, _: Surroundings) -> tuple[str, ...]:
    if not isinstance(raw, list) or not raw:
        raise Refused
    for code in raw:
        if not isinstance(code, str) or re.fullmatch(r"[A-Z0-9]{3}", code) is None:
            upper = str(code).upper()
            fits = re.fullmatch(r"[A-Z0-9]{3}", upper)
            raise Refused(f'did you mean "{upper}"?' if fits else f"{code!r} is not such a code")
    if len(set(raw)) != len(raw):
        raise Refused("a company code stands there twice")
    return tuple(raw)


def _currency(raw: Any, _: Surroundings) -> str | dict[str, str]:
    codes = raw.values() if isinstance(raw, dict) and raw else [raw]
    for code in codes:
        if not isinstance(code, str) or re.fullmatch(r"[A-Z]{3}", code) is None:
            raise Refused
    return dict(raw) if isinstance(raw, dict) else str(raw)


def _names(raw: Any, _: Surroundings) -> dict[str, str]:
    name = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,63}")
    if not isinstance(raw, dict):
        raise Refused
    for ours, theirs in raw.items():
        if not isinstance(theirs, str) or not (name.fullmatch(ours) and name.fullmatch(theirs)):
            raise Refused(f"{ours!r} or what it is set to is not a column name")
    if len(set(raw.values())) != len(raw):
        raise Refused("two columns are read from the same one of the agent")
    return dict(raw)


def _secret(objection: secrets.Objection) -> Callable[[Any, Surroundings], Secret]:
    def read(raw: Any, around: Surroundings) -> Secret:
        try:
            secret, notice = secrets.resolve(
                raw, folder=around.folder, env=around.env, objection=objection
            )
        except secrets.Unavailable as problem:
            raise Missing(str(problem)) from None
        except secrets.Unresolved as problem:
            raise Refused(str(problem)) from None
        if notice:
            around.notices.append(notice)
        return secret

    return read


ADDRESS = Leaf(
    "an https:// address (http:// only to this machine: 127.0.0.1, ::1, localhost)", _address
)
COLLECTOR = Leaf("an http:// or https:// address", _collector)
COMMAND = Leaf('a program and its arguments, e.g. ["/usr/bin/logger", "-t", "anchor"]', _command)
COMPANIES = Leaf(
    'a list of 3-character company codes, upper-case letters and digits, e.g. ["ABC"]', _companies
)
CURRENCY = Leaf('an ISO currency code such as "USD", or a table of them by company code', _currency)
DURATION = Leaf('a span of time such as "30m", "12h" or "1d"', _duration)
FILE = Leaf("the path of a readable file", _file)
INSTANCE = Leaf(
    "a short name of letters, digits, '-', '_' and '.'", _matching(r"[A-Za-z0-9][\w.-]{0,39}")
)
LISTEN = Leaf('HOST:PORT such as "127.0.0.1:8440"', _listen)
NAMES = Leaf("a table of column names", _names)
NEW_FILE = Leaf("the path of a file, which is made when it is not there", _new_file)
PERIODS = Leaf("a whole number of fiscal periods, 1 to 36", _periods)
PIN = Leaf('"sha256:" and 64 hexadecimal digits', _matching(r"sha256:[0-9A-Fa-f]{64}"))
PROPERTY = Leaf(
    "the internal name of a HubSpot property (a-z, 0-9 and _)", _matching(r"[a-z][a-z0-9_]{0,99}")
)
RESERVE = Leaf('a share from "0%" to "90%"', _reserve)
_FROM_OUTSIDE = '{ env = "NAME" } or { file = "PATH" }'
SECRET = Leaf(_FROM_OUTSIDE, _secret(secrets.text), private=True)
KEY = Leaf(_FROM_OUTSIDE, _secret(secrets.header), private=True)
PRIVATE_KEY = Leaf(_FROM_OUTSIDE, _secret(secrets.lines), private=True)
SHARE = Leaf('a share from "1%" to "100%"', _share)
STORE_URL = Leaf(
    '"sqlite:///events.db" (beside this file) or "sqlite:////absolute/path.db"',
    _store_url,
)
SWITCH = Leaf("true or false", _switch)
TEXT = Leaf("a text that is not empty", _text)
ZONE = Leaf('an IANA time zone such as "America/Chicago"', _zone)
SCHEDULE = Leaf('an interval such as "15m" or a cron line such as "5 * * * mon-fri"', _schedule)
QUIET_HOURS = Leaf('a list of daily spans such as ["22:00-04:30"]', _quiet_hours)
