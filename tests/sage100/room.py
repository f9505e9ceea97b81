"""A server room: one simulated agent on a real socket, its poller, and a person who looks on.

A fault is made here, looked at as an operator would, and mended; then what the log says of Sage 100
is compared with what Sage 100 holds.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector import reports
from connector.cli import status as status_command
from connector.projector import Projector
from connector.rebuild import all_tables
from connector.sage100 import refusals
from connector.sage100.agent import Agent, Limits
from connector.sage100.auth import Credentials
from connector.sage100.auth_certificate import ClientCertificate
from connector.sage100.passes import WORK_TABLES, Outcome
from connector.sage100.retry import Retry
from connector.sage100.rounds import Rounds
from connector.sage100.trust import Trust
from connector.sandbox.agent import (
    AgentOptions,
    Company,
    ManualClock,
    SimulatedAgent,
    maintenance,
    posting,
)
from connector.sandbox.agent.pace import Pace
from connector.secret import Secret
from eventstore import EventStore, open_store
from projections import events as e
from projections.mapping import compiled
from tests.projections.rig import MAPPING, new
from tests.sage100 import sight
from tests.sage100.wire import NOW, Waits
from tests.sage100.world import World, rounds


class Room:
    """`told` is how the connector is configured: keywords of Credentials, Agent and Instance, and
    `trust` of Trust.
    """

    def __init__(self, sim: SimulatedAgent, store: EventStore, clock: ManualClock) -> None:
        self.sim = sim
        self.store = store
        self.clock = clock
        self.world = World()
        self.told: dict[str, Any] = {}
        self.limits = Limits()
        self._rounds: Rounds | None = None
        self._stack = contextlib.AsyncExitStack()

    @property
    def company(self) -> Company:
        """The company that is read."""
        return self.sim.company

    async def start(self) -> None:
        """Start the connector, or start it again."""
        await self.stop()
        sim, told = self.sim, self.told
        trust, certificate = None, None
        if sim.options.tls is not None:
            if sim.options.client_certificates == "required":
                certificate = told.get("certificate", await asyncio.to_thread(self._ours))
            believed = told.get("trust", {"ca_bundle": sim.tls.ca_bundle})
            trust = Trust(sim.endpoint, identity=certificate, **believed)
        credentials = Credentials(
            scheme=told.get("scheme", "basic"),
            username=told.get("username", sim.username),
            password=Secret(told.get("password", sim.password)),
            api_key=Secret(told.get("api_key", sim.api_key)),
            certificate=certificate,
        )
        agent = await self._stack.enter_async_context(
            Agent(
                sim.endpoint,
                credentials=credentials,
                columns=told.get("columns"),
                trust=trust,
                limits=self.limits,
                retry=Retry(tries=3),
                waiting=Waits().waiting(),
            )
        )
        self._rounds = rounds(agent, self.store, self.world, **told.get("instance", {}))

    def _ours(self) -> ClientCertificate:
        """The certificate that the agent's CA has issued to us."""
        file = self.sim.tls.client()
        return ClientCertificate(file, Secret(file.read_text("ascii")))

    async def stop(self) -> None:
        """End the connector."""
        await self._stack.aclose()
        self._stack = contextlib.AsyncExitStack()

    async def release(self) -> None:
        """A person has seen to the account: the agent may be asked again."""
        kept = await refusals.find(self.store, "acme")
        assert kept is not None
        assert await refusals.release(self.store, e.LogonReleased("acme", kept.at, kept.code))

    async def round(self, *, sweep: bool = False) -> dict[str, Outcome]:
        """One round, a quarter of an hour after the one before; outcomes by entity."""
        if self._rounds is None:
            await self.start()
        assert self._rounds is not None
        self.world.now += timedelta(minutes=15)
        self.clock.advance(timedelta(minutes=15))
        return {one.entity: one for one in await self._rounds.run_once(sweep=sweep)}

    def work(self) -> None:
        """A day at the office: stamped changes, one that is not, and a record that goes."""
        company = self.company
        maintenance.change_customer(company, ("01", "ABF"), {"CustomerName": "Renamed & Sons"})
        maintenance.change_customer(company, ("02", "ABF"), {"City": "Evanston"}, stamp=False)
        invoice = posting.post_invoice(company, ("01", "ABF"), "812.40")
        posting.receive_payment(company, invoice, "12.40")
        maintenance.add_vendor(company, ("01", "IMPORT"), {"VendorName": "Imported"}, stamp=False)
        maintenance.add_contact(company, ("02", "ABF", "ANN"), {"ContactName": "Day, Ann"})
        [contact, *_] = company.rows("AR_CustomerContact")
        key = tuple(contact[name] for name in ("ARDivisionNo", "CustomerNo", "ContactCode"))
        maintenance.remove(company, "AR_CustomerContact", key)

    async def since(self, position: int, *kinds: type[e.Event]) -> list[e.Event]:
        """The payloads of these types behind a position of the log."""
        names = [kind.__name__ for kind in kinds]
        stored = await self.store.read(position, types=names, limit=5_000)
        return [event for one in stored if (event := e.decode(one.type, one.data)) is not None]

    async def head(self) -> int:
        """The log's position."""
        return (await self.store.head()).last

    async def status(self) -> dict[str, Any]:
        """What `status --json` says."""
        projector = Projector(self.store)
        while await projector.step():
            pass
        projector.hold = False
        await projector.run_until_idle()
        report = await reports.status(self.store)
        told = {"mapping": {"in_force": MAPPING.digest, "proposed": ""}, "quiet": []}
        return {**report, **told}

    async def operator(self, capsys: pytest.CaptureFixture[str]) -> tuple[str, bool]:
        """What `status` shows, on one line, and whether it ends with an alarm."""
        report = await self.status()
        capsys.readouterr()
        status_command.render(report)
        return " ".join(capsys.readouterr().out.split()), status_command.needs_person(report)

    async def healed(self) -> None:
        """Two quiet sweeps later nothing is lost, invented or left to do."""
        for _ in range(2):
            outcomes = await self.round(sweep=True)
            assert [one for one in outcomes.values() if not one.completed] == []
        assert await sight.differences(self.store, self.company) == {}
        status = await self.status()
        assert status["books_close"]
        assert not status_command.needs_person(status)
        assert [row["waiting"] for row in status["sage100"]] == [None] * len(status["sage100"])
        assert await self.store.verify() == status["log"]["head"]


@contextlib.asynccontextmanager
async def open_room(
    folder: Path, *, limits: Limits | None = None, pace: Pace | None = None, **options: Any
) -> AsyncIterator[Room]:
    """A small company behind an agent with these options, and a poller that has not begun."""
    clock = ManualClock(NOW)
    usual: dict[str, Any] = {
        "customers": 12,
        "invoices": 24,
        "vendors": 3,
        "details": False,
        "today": NOW.date(),
    }
    tables = [*all_tables(), *WORK_TABLES]
    async with (
        open_store(f"sqlite:///{folder}/e.db", tables=tables) as store,
        SimulatedAgent(AgentOptions(**{**usual, **options}), clock=clock, pace=pace) as sim,
    ):
        activated = e.MappingActivated(MAPPING.digest, compiled.content(MAPPING))
        await store.append([new("config/mapping", activated)])
        room = Room(sim, store, clock)
        if limits is not None:
            room.limits = limits
        try:
            yield room
        finally:
            await room.stop()


async def failures(room: Room, position: int) -> list[e.PollFailed]:
    """The passes that failed behind a position of the log."""
    found = await room.since(position, e.PollFailed)
    return [one for one in found if isinstance(one, e.PollFailed)]
