"""Reading the configuration file as a whole, and the rules that hold between its keys."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from connector.config import locate
from connector.config.leaves import Surroundings
from connector.config.problems import InvalidConfiguration, Problem, nearest
from connector.config.read import Reader
from connector.config.settings import Config, Sage100Settings, Tables

_LIMIT_BYTES: Final = 1024 * 1024
_NO_FILE: Final = (
    "'ml-connector init' writes a commented one; --config or ML_CONNECTOR_CONFIG names another."
)


def load_config(path: Path, env: Mapping[str, str], *, secrets_needed: bool = True) -> Config:
    """The configuration in `path`, its secrets taken from `env` or from files beside it.

    Relative paths in the file are relative to the file. `secrets_needed`: False for work that opens
    no end; a secret that is not there then says so where it is wanted after all. Raises
    InvalidConfiguration, which lists every mistake with its line.
    """
    text = _text(path)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise InvalidConfiguration(path, [_syntax(str(problem))]) from None
    around = Surroundings(path.absolute().parent, env, notices=[], secrets_needed=secrets_needed)
    reader = Reader(locate.lines_of(text), around)
    tables = reader.table(Tables, raw)
    if tables is not None:
        for place, message in _contradictions(tables):
            reader.refuse(place, message)
    if tables is None or reader.problems:
        raise InvalidConfiguration(path, reader.problems)
    return Config(
        store=tables.store,
        sage100=tables.sage100,
        hubspot=tables.hubspot,
        console=tables.console,
        telemetry=tables.telemetry,
        anchors=tables.anchors,
        path=path.absolute(),
        notices=tuple(around.notices),
    )


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT_BYTES + 1)
    except FileNotFoundError:
        problem = Problem("", "there is no such configuration file")
        raise InvalidConfiguration(path, [problem], remedy=_NO_FILE) from None
    except OSError as error:
        problem = Problem("", f"the configuration cannot be read: {error.strerror}")
        raise InvalidConfiguration(path, [problem], remedy=_NO_FILE) from None
    if len(content) > _LIMIT_BYTES:
        raise InvalidConfiguration(path, [Problem("", "larger than 1 MiB: not a configuration")])
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidConfiguration(path, [Problem("", "not UTF-8 text", line)]) from None


def _syntax(message: str) -> Problem:
    place = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if place is None:
        return Problem("", f"not valid TOML: {message}")
    what = message[: place.start()]
    return Problem("", f"not valid TOML: {what} (column {place.group(2)})", int(place.group(1)))


def _contradictions(tables: Tables) -> Iterator[tuple[locate.Path, str]]:
    names: dict[str, int] = {}
    owners: dict[str, str] = {}
    for index, agent in enumerate(tables.sage100):
        place: locate.Path = ("sage100", index)
        if agent.name in names:
            yield (*place, "name"), f'"{agent.name}" is the name of another [[sage100]]'
        names[agent.name] = index
        for code in agent.companies:
            if code in owners:
                yield (
                    (*place, "companies"),
                    f'"{code}" is already read through "{owners[code]}": a company code may stand '
                    "in one [[sage100]] only, since keys in HubSpot carry the code alone",
                )
            owners.setdefault(code, agent.name)
        yield from _of_agent(agent, place)


def _of_agent(agent: Sage100Settings, place: locate.Path) -> Iterator[tuple[locate.Path, str]]:
    if isinstance(agent.currency, dict):
        for code in agent.currency.keys() - set(agent.companies):
            close = nearest(code, agent.companies)
            hint = f': did you mean "{close}"?' if close else ""
            yield (*place, "currency", code), f'"{code}" is not one of companies{hint}'
        for code in agent.companies:
            if code not in agent.currency:
                yield (*place, "currency"), f'no currency for company "{code}"'
    auth = agent.auth
    certificate = auth.client_certificate is not None or auth.client_key is not None
    if (auth.client_certificate is None) != (auth.client_key is None):
        yield (*place, "auth"), "client_certificate and client_key go together"
    elif certificate == (auth.api_key is not None):
        yield (
            (*place, "auth"),
            "expected either api_key, or client_certificate and client_key: "
            + ("both are given" if certificate else "neither is given"),
        )
    if agent.tls.ca_bundle is not None and agent.tls.pin is not None:
        yield (*place, "tls"), "expected ca_bundle or pin, not both"
