"""The command that starts an agent alone: each way of being set up, seen over its sockets."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import ssl
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, get_args

import aiohttp
import msgspec
import pytest
import spnego
import typer
from spnego.channel_bindings import GssChannelBindings

from connector.cli import sandbox
from connector.config import load_config
from connector.sandbox.agent import control
from connector.sandbox.agent.control_administration import CapacityOrder
from connector.sandbox.agent.control_manners import ConductOrder
from connector.sandbox.agent.tls import PROFILES
from tests.cli.command import inside
from tests.sandbox.agent_wire import NS, A, Answer, basic, envelope, read
from tests.sandbox.command import at_work, started
from tests.sandbox.test_agent_life_control import chosen

SMALL = ("--customers", "12", "--invoices", "20")
LIMIT_S = 20.0


class Remote(msgspec.Struct):
    """An agent in another process: what it announced, and a session towards it."""

    told: dict[str, Any]
    session: aiohttp.ClientSession
    control: aiohttp.ClientSession

    async def ask(
        self,
        inner: str = "<a:GetInfo/>",
        *,
        authorization: str | None = "",
        with_key: bool = True,
    ) -> Answer:
        """A SOAP call; `authorization` "": Basic with the right password, None: none at all."""
        operation = inner.removeprefix("<a:").split(">")[0].rstrip("/")
        sent = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{NS}/{operation}"'}
        if with_key:
            sent["X-API-Key"] = self.told["api_key"]
        if authorization == "":
            authorization = basic(self.told["username"], self.told["password"])
        if authorization is not None:
            sent["Authorization"] = authorization
        async with self.session.post(
            self.told["endpoint"], data=envelope(inner), headers=sent
        ) as answer:
            offers = answer.headers.getall("WWW-Authenticate", [])
            return Answer(answer.status, {"offers": "; ".join(offers)}, await answer.read())

    async def page(self, entity: str, columns: str | None = None) -> Answer:
        """A page of 500 rows at most."""
        asked = "" if columns is None else f"<a:Columns>{columns}</a:Columns>"
        company = self.told["companies"][0]
        return await self.ask(
            f"<a:ReadPage><a:CompanyCode>{company}</a:CompanyCode><a:Entity>{entity}</a:Entity>"
            f"{asked}<a:Limit>500</a:Limit></a:ReadPage>"
        )

    async def order(self, do: str, *, status: int = 200, **order: Any) -> dict[str, Any]:
        """An order to the control endpoint."""
        bearer = {"Authorization": f"Bearer {self.told['control_token']}"}
        async with self.control.post(
            self.told["control_url"], json={"do": do, **order}, headers=bearer
        ) as answer:
            said: dict[str, Any] = await answer.json()
            assert answer.status == status, said
            return said


@asynccontextmanager
async def agent(
    folder: Path, *options: str, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Remote]:
    """An agent started by the command, and a client on one connection; `tls`: whom that trusts."""
    blind = ssl.create_default_context()
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    async with (
        asyncio.timeout(3 * LIMIT_S),
        started(folder, "agent", *SMALL, *options) as told,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=blind)) as control,
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=1, ssl=tls or trusting(told))
        ) as session,
    ):
        yield Remote(told, session, control)


def trusting(told: dict[str, Any]) -> ssl.SSLContext:
    """A client that trusts the CA that was announced."""
    return ssl.create_default_context(cafile=told.get("ca_bundle"))


def spoken(bindings: bytes | None, told: dict[str, Any]) -> spnego.ContextProxy:
    """NTLM as a client speaks it, bound to a certificate or to none."""
    return spnego.client(
        told["username"],
        told["password"],
        hostname="localhost",
        service="HTTP",
        protocol="ntlm",
        options=spnego.NegotiateOptions.use_ntlm,
        channel_bindings=None
        if bindings is None
        else GssChannelBindings(application_data=b"tls-server-end-point:" + bindings),
    )


# ---------------------------------------------------------------- whom it lets in


async def test_several_schemes_are_offered_in_their_order(tmp_path: Path) -> None:
    """--logon may be repeated; a request that says nothing is told all of them."""
    options = ("--logon", "ntlm", "--logon", "negotiate", "--username", r"ACME\svc")
    async with agent(tmp_path, *options) as remote:
        assert (remote.told["scheme"], remote.told["username"]) == ("ntlm", r"ACME\svc")
        said = await remote.ask(authorization=None)
        assert (said.status, said.headers["offers"]) == (401, "NTLM; Negotiate")
        assert (await remote.ask()).status == 401  # Basic, which is not offered
        await remote.order("logon", schemes=["Basic"])
        assert (await remote.ask()).status == 200


async def test_wrong_passwords_lock_the_account_until_it_is_unlocked(tmp_path: Path) -> None:
    """--lock-after counts; an administrator unlocks it, changes the password, or the limit."""
    async with agent(tmp_path, "--lock-after", "2") as remote:
        wrong = basic(remote.told["username"], "wrong")
        for _ in range(2):
            assert (await remote.ask(authorization=wrong)).status == 401
        assert (await remote.ask()).status == 401
        await remote.order("account")
        assert (await remote.ask()).status == 200
        await remote.order("account", password="another")
        assert (await remote.ask()).status == 401
        remote.told["password"] = "another"
        assert (await remote.ask()).status == 200
        await remote.order("logon", lock_after=0)
        for _ in range(4):
            assert (await remote.ask(authorization=wrong)).status == 401
        assert (await remote.ask()).status == 200
        assert (await remote.order("stats"))["wrong_logons"] == {"Basic": 8}


async def test_a_client_certificate_takes_the_place_of_the_key(tmp_path: Path) -> None:
    """--client-certificate writes one, readable by its owner alone, and lets nobody in without."""
    files = tmp_path / "files"
    options = ("--tls", "good", "--client-certificate", "--folder", str(files))
    async with agent(tmp_path, *options) as remote:
        told = remote.told
        assert (told["ca_bundle"], told["folder"]) == (str(files / "ca.pem"), str(files))
        assert {path.stat().st_mode & 0o777 for path in files.iterdir()} == {0o600}
        assert files.stat().st_mode & 0o777 == 0o700
        with pytest.raises(aiohttp.ClientError):
            await remote.ask()
        presenting = trusting(told)
        presenting.load_cert_chain(told["client_certificate"], told["client_key"])
        connector = aiohttp.TCPConnector(ssl=presenting)
        async with aiohttp.ClientSession(connector=connector) as remote.session:
            assert (await remote.ask(with_key=False)).status == 200


async def test_extended_protection_demands_a_bound_log_on(tmp_path: Path) -> None:
    """--extended-protection: NTLM bound to the certificate is let in, unbound it is refused."""
    options = ("--tls", "good", "--extended-protection", "--logon", "ntlm")
    async with agent(tmp_path, *options) as remote:
        for bound, status in ((False, 401), (True, 200)):
            digest = await asyncio.to_thread(shown_digest, remote.told)
            context = spoken(digest if bound else None, remote.told)
            said = await remote.ask(authorization=leg(context.step()))
            challenge = spnego_token(said.headers["offers"])
            said = await remote.ask(authorization=leg(context.step(challenge)))
            assert said.status == status


def leg(token: bytes | None) -> str:
    """An Authorization header of NTLM."""
    return f"NTLM {base64.b64encode(token or b'').decode()}"


def spnego_token(offers: str) -> bytes:
    """What follows NTLM in an offer."""
    return base64.b64decode(offers.removeprefix("NTLM "))


def shown_digest(told: dict[str, Any]) -> bytes:
    """SHA-256 of the certificate that is shown."""
    port = int(told["endpoint"].split(":")[2].split("/")[0])
    pem = ssl.get_server_certificate(("localhost", port))
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest()


# ---------------------------------------------------------------- TLS and files


async def test_another_certificate_can_be_chosen_while_it_runs(tmp_path: Path) -> None:
    """--tls unknown-ca is refused by a strict client; the order `certificate` puts it right."""
    async with agent(tmp_path, "--tls", "unknown-ca") as remote:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await remote.ask()
        await remote.order("certificate", profile="good")
        assert (await remote.ask()).status == 200
    async with agent(tmp_path) as remote:
        assert "--tls" in (await remote.order("certificate", profile="good", status=400))["error"]
        bound = await remote.order("logon", extended_protection=True, status=400)
        assert "--tls" in bound["error"]


async def test_secrets_in_the_folder_are_used_again(tmp_path: Path) -> None:
    """A restart with the same --folder keeps what clients have been configured with."""
    kept = []
    for _ in range(2):
        async with agent(tmp_path, "--folder", "files") as remote:
            kept.append([remote.told[name] for name in ("password", "api_key", "control_token")])
            assert (await remote.ask()).status == 200
    assert kept[0] == kept[1]
    assert (tmp_path / "files" / "password").read_text() == kept[0][0]


# ---------------------------------------------------------------- what it serves and bears


async def test_columns_can_be_missing(tmp_path: Path) -> None:
    """--without: neither GetInfo nor a page knows the column, and asking for it is a fault."""
    column = "AR_Invoice.TaxableAmt"
    async with agent(tmp_path, "--without", column) as remote:
        info = (await remote.ask()).body.decode()
        assert 'name="NonTaxableAmt"' in info
        assert 'name="TaxableAmt"' not in info
        rows = read(await remote.page("AR_Invoice")).rows
        assert (len(rows), "TaxableAmt" in rows[0]) == (20, False)
        assert (await remote.page("AR_Invoice", "TaxableAmt")).fault[1] == "UnknownColumn"
        await remote.order("conduct", not_served=[])
        assert "TaxableAmt" in read(await remote.page("AR_Invoice")).rows[0]
        for wrong in ("AR_Invoice.InvoiceNo", "AR_Invoice.Nothing", "GL_Account.X", "Balance"):
            await remote.order("conduct", not_served=[wrong], status=400)


async def test_text_can_be_taken_for_latin_1(tmp_path: Path) -> None:
    """--misread, an order for one column, or one cell: ’ arrives as U+0092, or as â€™."""
    where: dict[str, Any] = {"entity": "AR_Customer", "key": ["01", "ABF"]}
    where["column"] = "CustomerName"

    async def name(remote: Remote) -> str:
        rows = read(await remote.page("AR_Customer", "CustomerName")).rows
        return next(row["CustomerName"] for row in rows if row["CustomerNo"] == "ABF")

    async with agent(tmp_path, "--misread", "latin-1") as remote:
        await remote.order("raw", text="Joe’s Café", **where)
        assert await name(remote) == "Joe\u0092s Café"
        await remote.order("conduct", misread={"AR_Customer.CustomerName": "utf-8"})
        assert await name(remote) == "Joe’s Café".encode().decode("cp1252")
        await remote.order("conduct", misread={"AR_Customer.City": "latin-1"})
        assert await name(remote) == "Joe’s Café"
        await remote.order("raw", text="O\u0092Neil", **where)
        assert await name(remote) == "O\u0092Neil"


async def test_a_session_is_waited_for_as_long_as_told(tmp_path: Path) -> None:
    """--session-wait 0: the second request is busy at once; with more sessions it is not."""
    options = ("--session-wait", "0", "--latency", "60000")
    async with agent(tmp_path, *options) as remote, aiohttp.ClientSession() as remote.session:
        pages = [asyncio.create_task(remote.page("AR_TermsCode")) for _ in range(2)]
        done, pending = await asyncio.wait(
            pages, timeout=LIMIT_S, return_when=asyncio.FIRST_COMPLETED
        )
        assert [page.result().fault[1] for page in done] == ["SessionBusy"]
        await remote.order("capacity", busy="503")
        assert (await remote.page("AR_TermsCode")).status == 503
        await remote.order("capacity", sessions=2)
        await remote.order("conduct", row_delay_s=0)
        assert (await remote.page("AR_TermsCode")).status == 200
        for page in pending:
            page.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


async def test_a_page_ends_at_the_scan_limit(tmp_path: Path) -> None:
    """--scan-limit: so many rows are looked at, and the page says so and goes on."""
    async with agent(tmp_path, "--scan-limit", "7") as remote:
        page = read(await remote.page("AR_Customer"))
        assert (page.scanned, page.capped, page.complete) == (7, True, False)
        assert page.following
        await remote.order("conduct", scan_limit=9)
        assert read(await remote.page("AR_Customer")).scanned == 9
        await remote.order("conduct", scan_limit=0, status=400)


async def test_several_companies_have_their_currencies(tmp_path: Path) -> None:
    """--company may be repeated, each with a currency; GetInfo tells both."""
    options = ("--company", "ABC", "--company", "CAN:CAD", "--timezone", "America/Denver")
    async with agent(tmp_path, *options) as remote:
        assert remote.told["currencies"] == {"ABC": "USD", "CAN": "CAD"}
        info = (await remote.ask()).payload
        found = [
            (one.findtext(f"{A}Code"), one.findtext(f"{A}Currency"))
            for one in info.iter(f"{A}Company")
        ]
        assert found == [("ABC", "USD"), ("CAN", "CAD")]
        assert info.findtext(f"{A}Info/{A}TimeZone") == "America/Denver"


def test_the_rest_of_the_options_reach_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cold start, wait and profile are those of the command line."""
    options = chosen(
        monkeypatch,
        *("--cold-start", "30", "--session-wait", "5", "--busy", "503", "--tls", "ends-soon"),
    )
    assert (options.capacity.cold_start_s, options.capacity.wait_s) == (30, 5)
    assert (options.capacity.busy, options.tls) == ("503", "ends-soon")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--client-certificate",), "choose a tls profile"),
        (("--extended-protection",), "choose a tls profile"),
        (("--logon", "basic", "--logon", "basic"), "none twice"),
        (("--without", "AR_Invoice.InvoiceNo"), "no column beside a key"),
        (("--company", "ABCD"), "three capitals"),
        (("--timezone", "Chicago"), "no IANA zone"),
        (("--tls", "perfect"), "'perfect' is not one of"),
    ],
)
def test_options_that_make_no_sense_are_named(
    options: tuple[str, ...], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever cannot be served is refused at once, with 2 and the reason."""
    ended = inside(capsys, "sandbox", "agent", *options, "--json")
    assert ended.code == 2
    assert named in " ".join(ended.json()["error"]["what"].split())


# ---------------------------------------------------------------- what it says


@pytest.mark.parametrize("mode", ["plain", "mTLS, in a folder"])
async def test_what_it_prints_is_a_configuration(mode: str, tmp_path: Path) -> None:
    """The part for ml-connector.toml is taken as it is; the secrets are where it says."""
    options = ["--logon", "negotiate", "--username", r"ACME\svc", "--company", "CAN:CAD"]
    if mode != "plain":
        options += ["--tls", "good", "--client-certificate", "--folder", str(tmp_path / "files")]
    async with at_work(tmp_path, "agent", *SMALL, *options, until=b'"stats"') as (_, text):
        begin, _, rest = text.partition("[[sage100]]")
        snippet = "[[sage100]]" + rest.partition("\nThe secrets")[0].partition("\nOrders")[0]
        assert "Ctrl-C" in begin
        env = {"HUBSPOT_TOKEN": "t"}
        for line in rest.splitlines():
            if line.startswith("  export "):
                name, _, value = line.removeprefix("  export ").partition("=")
                env[name] = value.strip("'")
        assert len(env) == (3 if mode == "plain" else 1)
        path = tmp_path / "ml-connector.toml"
        path.write_text(
            f'[store]\nurl = "sqlite:///e.db"\n{snippet}\n[hubspot]\ntier = "free"\n'
            'token = { env = "HUBSPOT_TOKEN" }\n',
            encoding="utf-8",
        )
        assert tomllib.loads(path.read_text())["sage100"][0]["name"] == "sandbox"
        (settings,) = load_config(path, env).sage100
        assert settings.auth.username == r"ACME\svc"
        assert settings.currency_of("CAN") == "CAD"
        if mode == "plain":
            assert settings.auth.api_key is not None
            assert settings.auth.api_key.reveal() == env["SAGE100_API_KEY"]
        else:
            assert settings.tls.ca_bundle == tmp_path / "files" / "ca.pem"
            assert settings.auth.client_key is not None
            assert "PRIVATE KEY" in settings.auth.client_key.reveal()


def test_the_handbook_knows_every_option_profile_and_order() -> None:
    """Whatever the simulated agent can be told stands on the handbook's page of it."""
    page = (Path(__file__).parents[2] / "ops/handbook/sandbox.md").read_text(encoding="utf-8")
    command = typer.main.get_command(sandbox.app).commands["agent"]  # type: ignore[attr-defined]
    options = [name for parameter in command.params for name in parameter.opts]
    orders = [order.__struct_config__.tag for order in get_args(control.Order)]
    assert "--extended-protection" in options
    assert {"raw", "certificate", "import", "conduct"} <= set(orders)
    said = set(re.findall(r"`(-*[\w.-]+)", page))
    assert [name for name in (*options, *PROFILES, *orders) if name not in said] == []
    manners = [*ConductOrder.__struct_fields__, *CapacityOrder.__struct_fields__]
    assert [name for name in {*manners} - {"company"} if name not in said] == []
