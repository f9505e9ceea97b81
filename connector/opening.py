"""What a command needs opened, and no more: the store to read or to write, HubSpot, the agents.

Everything here is an asynchronous context that closes what it opened. A store is never opened for
writing before every erasure that was ever ordered has been carried out in it, nor to be read before
its read models are of this version: after an update, or an import, they are made from the log
first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Final

from connector import erasing
from connector.config import Config, Sage100Settings
from connector.errors import Misconfigured
from connector.hubspot.api import HubSpot
from connector.hubspot.limiter import Limiter
from connector.overdue import refuse_while_overdue, see_to_the_erased
from connector.projector import Projector
from connector.rebuild import Standing, can_be_read, rebuild, standing
from connector.sage100.agent import Agent
from connector.sage100.auth import Credentials
from connector.sage100.auth_certificate import client_certificate
from connector.sage100.endpoint import same_agent
from connector.sage100.refusals import Refusals
from connector.sage100.trust import Trust
from connector.store import open_log
from eventstore import EventStore, StoreInUse, Unavailable

PATIENCE_S: Final = 5.0  # a service makes the read models of a small store within a second
_LOOK_S: Final = 0.1
_log: Final = logging.getLogger(__name__)


class Doors:
    """What the clients of one process share: the turn of each agent, what each account was told."""

    def __init__(self) -> None:
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._refusals: dict[tuple[str, Credentials], Refusals] = {}

    def turn(self, endpoint: str) -> asyncio.Lock:
        """Sage 100 behind an agent has one session: instances of one agent ask it in turn."""
        return self._turns[same_agent(endpoint)]

    def refusals(self, endpoint: str, credentials: Credentials) -> Refusals:
        """Who has the account of another is told what that was told, and does not try it again."""
        known = same_agent(endpoint), credentials
        return self._refusals.setdefault(known, Refusals(endpoint, credentials))


def agent_of(settings: Sage100Settings, doors: Doors | None = None) -> Agent:
    """The client of one agent, to be entered. `doors`: of all who ask this agent."""
    auth, tls = settings.auth, settings.tls
    doors = doors or Doors()
    identity = client_certificate(auth.client_certificate, auth.client_key)
    credentials = Credentials(
        scheme=auth.scheme,
        username=auth.username,
        password=auth.password,
        api_key=auth.api_key,
        certificate=identity,
    )
    return Agent(
        settings.endpoint,
        name=settings.name,
        turn=doors.turn(settings.endpoint),
        refusals=doors.refusals(settings.endpoint, credentials),
        credentials=credentials,
        columns=settings.columns,
        trust=Trust(settings.endpoint, ca_bundle=tls.ca_bundle, pin=tls.pin, identity=identity),
    )


@contextlib.asynccontextmanager
async def open_reader(config: Config, *, to_hand_on: bool = False) -> AsyncIterator[EventStore]:
    """The store alone, for reports: may be read while the service runs.

    While another process has it and has not yet erased what was ordered, that is said;
    `to_hand_on`: it is waited for, and refused in the end. Raises ErasurePending, and Misconfigured
    while the service makes the read models, or when it is of another version.
    """
    url, file = config.store.url, config.store.file
    if to_hand_on:
        await refuse_while_overdue(url, file)
    elif keys := await see_to_the_erased(url, file):
        _log.warning(
            "an erasure of %s is pending: what is shown may still hold that data", ", ".join(keys)
        )
    async with open_log(url, read_only=True) as store:
        readable = await can_be_read(store)
    if not readable:
        await _make_readable(config)
    async with open_log(url, read_only=True) as store:
        yield store


async def _make_readable(config: Config) -> None:
    """Make the read models, or wait for whoever has the store: a service does so by itself."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + PATIENCE_S
    while True:
        try:
            async with open_writer(config) as store:
                if not await can_be_read(store):  # an erasure may just have made them
                    _log.warning(
                        "after an update or an import: the read models are made from the log"
                    )
                    await rebuild(store, Projector(store), verify=False)
                return
        except (StoreInUse, Unavailable) as problem:
            async with open_log(config.store.url, read_only=True) as store:
                found = await standing(store)
            if found is Standing.CURRENT:
                return
            if isinstance(problem, Unavailable) or loop.time() >= deadline_s:
                raise _not_readable(problem, found) from None
        await asyncio.sleep(_LOOK_S)


def _not_readable(problem: StoreInUse | Unavailable, found: Standing) -> Misconfigured:
    if found is Standing.OUTDATED and isinstance(problem, StoreInUse):
        return Misconfigured(
            "the read models have not been made since an erasure or an import: whoever has the "
            "store, the service say, is at it",
            where="store.url",
            remedy="Try again when that is done: some ten thousand events take a second.",
        )
    return Misconfigured(
        "the read models in the store are of another version of ml-connector, and cannot be "
        f"made anew here: {problem}",
        where="store.url",
        remedy="The service makes them when it starts: restart it with this version, or wait "
        "until it has; or stop it and run 'ml-connector rebuild' once after the update.",
    )


@contextlib.asynccontextmanager
async def open_writer(config: Config) -> AsyncIterator[EventStore]:
    """The store alone, for what adds to the log; refused while the service runs.

    Whatever store it is, what was ever erased is erased from it first.
    """
    async with open_log(config.store.url) as store:
        await erasing.enforce(store, config.store.file)
        yield store


def open_hubspot(config: Config) -> HubSpot:
    """HubSpot alone, to be entered; for what only looks there."""
    return HubSpot(
        config.hubspot.token,
        Limiter(config.hubspot.tier, reserve=config.hubspot.reserve),
        base_url=config.hubspot.base_url,
        api_version=config.hubspot.api_version,
    )


@contextlib.asynccontextmanager
async def open_ends(config: Config) -> AsyncIterator[tuple[HubSpot, dict[str, Agent]]]:
    """HubSpot, and every agent by the name of its instance."""
    doors = Doors()
    async with contextlib.AsyncExitStack() as stack:
        hubspot = await stack.enter_async_context(open_hubspot(config))
        agents = {
            settings.name: await stack.enter_async_context(agent_of(settings, doors))
            for settings in config.sage100
        }
        yield hubspot, agents
