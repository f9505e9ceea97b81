"""The simulated portal on a loopback socket."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from aiohttp import web

from . import control, gate
from .options import HubSpotOptions
from .portal import Portal
from .routes import NOT_FOUND, ROUTES

HOST = "127.0.0.1"
MAX_LINE = 64 * 1024
"""Longest request line read at all; the API itself answers 414 from 8 KiB on."""


class SimulatedHubSpot(Portal):
    """A portal that serves its API while entered: `async with SimulatedHubSpot(options) as portal`.

    `port` 0 takes any free one; `base_url` is known once entered. `clock` (monotonic seconds)
    drives the limits, `now` (seconds since 1970) the times in records, `sleep` the latency.
    """

    def __init__(
        self,
        options: HubSpotOptions | None = None,
        *,
        port: int = 0,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(options, clock=clock, now=now, sleep=sleep)
        self.token = self.options.token
        self.control_token = self.options.control_token or secrets.token_urlsafe(24)
        self.port = port
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        """Where the API is, without a slash at the end."""
        if self._runner is None:
            raise RuntimeError("the simulated HubSpot is not serving: enter it first")
        return f"http://{HOST}:{self.port}"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=self.options.max_body_bytes)
        for route in ROUTES:
            for path in filter(None, (route.path, route.older_path)):
                app.router.add_route(route.method, path, gate.handler(self, route))
        app.router.add_route("*", "/control/{order}", control.handler(self, self.control_token))
        app.router.add_route("*", "/{rest:.*}", gate.handler(self, NOT_FOUND))
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=1.0,
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
        )
        await runner.setup()
        site = web.TCPSite(runner, HOST, self.port)
        try:
            await site.start()
        except BaseException:  # cancelled, too: nobody else will end what was set up
            await runner.cleanup()
            raise
        self.port = runner.addresses[0][1]
        self._runner = runner
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.faults.clear()
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()


async def run_hubspot(
    options: HubSpotOptions,
    *,
    port: int,
    announce: Callable[[SimulatedHubSpot], None],
) -> None:
    """Serve a portal until cancelled; `announce` is called once it answers.

    Raises OSError when the port is taken.
    """
    async with SimulatedHubSpot(options, port=port) as portal:
        announce(portal)
        await asyncio.Event().wait()
