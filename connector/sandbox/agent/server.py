"""The simulated agent as something that lives: started, used, stopped.

`async with SimulatedAgent() as agent:` builds the model, listens on the loopback and, on leaving,
lets held requests go and closes every connection. Inside one process the model is at hand as
`agent.model`; from outside there is the control endpoint. `run_agent` is the same for a command.
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from connector.sandbox.agent.auth import (
    ApiKeyDoor,
    BasicScheme,
    CertificateDoor,
    Door,
    Scheme,
    WindowsDoor,
)
from connector.sandbox.agent.auth_account import Account
from connector.sandbox.agent.auth_handshake import HandshakeScheme
from connector.sandbox.agent.calls import Calls
from connector.sandbox.agent.clock import Clock, server_clock
from connector.sandbox.agent.conduct import Conduct
from connector.sandbox.agent.control import PATH, Control
from connector.sandbox.agent.cursor import Cursors
from connector.sandbox.agent.errors import ModelError
from connector.sandbox.agent.faults import AnyFault, FaultScript, Injection
from connector.sandbox.agent.folder import open_folder, secret
from connector.sandbox.agent.model import Company, Model
from connector.sandbox.agent.options import AgentOptions, Discreet, LogonOptions
from connector.sandbox.agent.pace import Pace, RealPace
from connector.sandbox.agent.reading import Reader
from connector.sandbox.agent.seed import build_model
from connector.sandbox.agent.service import Service
from connector.sandbox.agent.sessions import Sessions
from connector.sandbox.agent.tls import TLS_HOST, TlsListener

HOST = "127.0.0.1"
CLOSING_S = 1.0  # how long open requests may take to end when the agent stops


class Announcement(Discreet, frozen=True):
    """Where a running agent is and how to get in.

    `currencies`: by company. `scheme`: the first that IIS offers. `ca_bundle`: "" without TLS.
    `client_certificate`, `client_key`: files of a client that is let in, "" where none is asked
    for. `folder`: where the secrets lie too, "" when they lie nowhere.
    """

    endpoint: str
    username: str
    password: str
    api_key: str
    control_url: str
    control_token: str
    companies: tuple[str, ...]
    currencies: dict[str, str]
    time_zone: str
    scheme: str
    ca_bundle: str = ""
    client_certificate: str = ""
    client_key: str = ""
    folder: str = ""


class SimulatedAgent:
    """One agent on the loopback; `port` 0 picks a free one.

    `clock` gives the server's local time (default: the real one, moved to `options.today`);
    `model` takes over a model already built, as when an agent restarts on the same files; `pace`
    is how its waits pass. `conduct` and `sessions` are what may be switched while it runs.
    """

    def __init__(
        self,
        options: AgentOptions | None = None,
        *,
        port: int = 0,
        clock: Clock | None = None,
        model: Model | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.options = options or AgentOptions()
        self.clock = clock or server_clock(self.options.time_zone, self.options.today)
        self.calls = Calls()
        self.faults = FaultScript()
        self._folder = open_folder(self.options.folder) if self.options.folder else None
        self.username = self.options.username
        self.password = secret(self._folder, "password", self.options.password, 18)
        self.logon = self.options.logon
        self.account = Account(
            self.username, self.password, lock_after=self.logon.lock_after, calls=self.calls
        )
        self.api_key = secret(self._folder, "api_key", self.options.api_key, 24)
        self.control_token = secret(self._folder, "control_token", self.options.control_token, 24)
        capacity = self.options.capacity
        misread = self.options.misread
        self.conduct = Conduct(
            scan_limit=self.options.scan_limit,
            request_delay_s=capacity.request_delay_s,
            row_delay_s=capacity.row_delay_s,
            misread={} if misread is None else {"*": misread},
            not_served=set(self.options.without),
            ends_after_challenge=self.options.logon.ends_after_challenge,
            ends_at_proof=self.options.logon.ends_at_proof,
        )
        self.sessions = Sessions(capacity, self.conduct, pace or RealPace())
        self._runner: web.AppRunner | None = None
        self._gap: asyncio.Task[None] | None = None
        self._port = port
        self._model = model
        self._tls: TlsListener | None = None
        self._windows = WindowsDoor(self._schemes())
        self._client_files = ("", "")
        self._stack = AsyncExitStack()

    @property
    def model(self) -> Model:
        """The simulated Sage 100; there once the agent runs."""
        if self._model is None:
            raise RuntimeError("the agent has no model yet: enter its `async with` first")
        return self._model

    @property
    def company(self) -> Company:
        """The first company of the model."""
        return self.model.company()

    @property
    def tls(self) -> TlsListener:
        """The TLS listener: what it shows, its CA file, what came through it."""
        if self._tls is None:
            raise RuntimeError("no TLS: set `tls` in the options and enter the `async with`")
        return self._tls

    @property
    def listener(self) -> TlsListener | None:
        """The TLS listener, None without TLS."""
        return self._tls

    def log_on_by(self, logon: LogonOptions) -> None:
        """Treat log-ons so from now on; connections that have logged on stay so."""
        if logon.extended_protection and self._tls is None:
            raise ModelError("extended protection is bound to TLS: start the agent with --tls")
        self.logon = logon
        self.account.lock_after(logon.lock_after)
        self._windows.offer(self._schemes())

    @property
    def _address(self) -> str:
        if self.options.tls is None:
            return f"http://{HOST}:{self._port}"
        return f"https://{TLS_HOST}:{self._port}"

    @property
    def endpoint(self) -> str:
        """The URL of the service; the WSDL is at `?wsdl`."""
        return f"{self._address}{self.options.path}"

    @property
    def control_url(self) -> str:
        """The URL of the control endpoint."""
        return f"{self._address}{PATH}"

    @property
    def announcement(self) -> Announcement:
        """Everything a client needs, in one value."""
        return Announcement(
            endpoint=self.endpoint,
            username=self.username,
            password=self.password,
            api_key=self.api_key,
            control_url=self.control_url,
            control_token=self.control_token,
            companies=tuple(self.model.companies),
            currencies={
                code: company.options.currency for code, company in self.model.companies.items()
            },
            time_zone=self.options.time_zone,
            scheme=self.logon.schemes[0].lower(),
            ca_bundle="" if self._tls is None else str(self._tls.ca_bundle),
            client_certificate=self._client_files[0],
            client_key=self._client_files[1],
            folder="" if self._folder is None else str(self._folder),
        )

    def inject(self, fault: AnyFault) -> Injection:
        """Script a fault; see `faults`."""
        return self.faults.inject(fault)

    async def go_down(self) -> None:
        """The process ends: connections are refused until `come_back`, the session is gone."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        self.sessions.restart()

    async def come_back(self) -> None:
        """Listen again, at the same address and on the same files."""
        if self._runner is not None:
            return
        runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=CLOSING_S)
        try:
            await runner.setup()
            site = web.TCPSite(
                runner,
                HOST,
                self._port,
                ssl_context=None if self._tls is None else self._tls.context,
            )
            await site.start()
        except BaseException:  # cancelled, too: nobody else will end what was set up
            await runner.cleanup()
            raise
        self._runner = runner
        self._port = runner.addresses[0][1]

    def restart(self, gap_s: float) -> asyncio.Task[None]:
        """Go down and come back after `gap_s`, in the background."""
        if self._gap is not None and not self._gap.done():
            raise ModelError("the agent is restarting already")
        self._gap = asyncio.create_task(self._restart(gap_s))
        return self._gap

    async def _restart(self, gap_s: float) -> None:
        await self.go_down()
        await self.sessions.pace.sleep(gap_s)
        await self.come_back()

    async def _forget_gap(self) -> None:
        if self._gap is not None:
            self._gap.cancel()
            await asyncio.gather(self._gap, return_exceptions=True)

    async def __aenter__(self) -> Self:
        if self._model is None:
            self._model = await asyncio.to_thread(build_model, self.options, self.clock)
        async with AsyncExitStack() as stack:
            if self.options.tls is not None:
                folder = self._folder or Path(
                    stack.enter_context(tempfile.TemporaryDirectory(prefix="sandbox-agent-"))
                )
                self._tls = await asyncio.to_thread(
                    TlsListener,
                    folder,
                    self.options.tls,
                    client_certificates=self.options.client_certificates,
                )
                if self.options.client_certificates == "required":
                    certificate, key = await asyncio.to_thread(self._tls.client_files)
                    self._client_files = str(certificate), str(key)
            stack.push_async_callback(self.go_down)
            stack.callback(self.faults.clear)
            stack.push_async_callback(self._forget_gap)
            await self.come_back()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def _app(self) -> web.Application:
        options = self.options
        # The same seed signs the same way: cursors outlive a restart, but not another agent.
        cursors = Cursors(f"sage100-agent/{options.seed}".encode())
        with_key = options.client_certificates == "ignored"
        doors: list[Door] = [
            self._windows,
            ApiKeyDoor(self.api_key) if with_key else CertificateDoor(),
        ]
        reader = Reader(self.model, options, cursors, self.conduct)
        service = Service(options, reader, doors, self.faults, self.calls, self.sessions)
        control = Control(self.model, self.faults, self.calls, self.control_token, self)
        app = web.Application(client_max_size=options.max_request_bytes)
        app.router.add_route("*", options.path, service.handle)
        app.router.add_post(PATH, control.handle)
        return app

    def _schemes(self) -> list[Scheme]:
        logon = self.logon
        made: list[Scheme] = []
        for name in logon.schemes:
            if name == "Basic":
                made.append(BasicScheme(self.account, self.options.realm))
            else:
                made.append(
                    HandshakeScheme(
                        name, self.account, self.calls, logon, self.conduct, self._certificate
                    )
                )
        return made

    def _certificate(self) -> bytes | None:
        return (
            None if self._tls is None else ssl.PEM_cert_to_DER_cert(self._tls.served.pem.decode())
        )


async def run_agent(
    options: AgentOptions | None = None,
    *,
    port: int = 0,
    announce: Callable[[Announcement], None],
) -> None:
    """Serve until cancelled; `announce` is called once, when the agent can be reached."""
    async with SimulatedAgent(options, port=port) as agent:
        announce(agent.announcement)
        await asyncio.Event().wait()
