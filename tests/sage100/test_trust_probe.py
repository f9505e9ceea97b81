"""Looking at a server that is not trusted: bounded, silent, and afraid of nothing it sends."""

from __future__ import annotations

import ast
import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import connector
from connector.sage100 import trust_probe
from connector.sage100.errors import AgentUnreachable, TlsRefused
from connector.sage100.trust import Trust
from connector.sage100.trust_certificate import Certificate, fingerprint, matches, read
from connector.sage100.trust_probe import Hello, hello, probe
from connector.sandbox.agent.tls import TlsProfile
from tests.sage100.test_trust import client, listening

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LIMIT_S = 20.0


@contextlib.asynccontextmanager
async def serving(handle: Serve) -> AsyncIterator[int]:
    """The port of a server that does as it likes."""
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def record(kind: int, content: bytes) -> bytes:
    """A TLS record."""
    return bytes([kind, 3, 3]) + len(content).to_bytes(2, "big") + content


def message(kind: int, body: bytes) -> bytes:
    """A handshake message."""
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def listed(*certificates: bytes) -> bytes:
    """The body of a Certificate message."""
    items = b"".join(len(one).to_bytes(3, "big") + one for one in certificates)
    return len(items).to_bytes(3, "big") + items


@pytest.mark.parametrize("profile", ["good", "expired", "wrong-host", "tls1.0", "other-site"])
async def test_the_probe_shakes_no_hands(profile: TlsProfile) -> None:
    """The certificate is seen, and the server has finished no handshake and got no byte."""
    async with listening(profile) as sim:
        port = int(sim.endpoint.split(":")[2].split("/")[0])
        seen = await probe("localhost", port)
        assert seen.leaf is not None
        assert fingerprint(seen.leaf) == sim.tls.served.fingerprint
        assert sim.tls.handshakes == 0
        assert sim.tls.application_bytes == 0
        assert sim.tls.server_names == ["localhost"]


async def test_a_server_of_tls_1_3_only_is_looked_at_and_left() -> None:
    """Its certificate shows at the end of a handshake; through that one nothing is ever sent."""
    async with listening("tls1.3") as sim:
        port = int(sim.endpoint.split(":")[2].split("/")[0])
        seen = await probe("localhost", port)
        assert seen.version == "TLS 1.3"
        assert seen.leaf is not None
        assert fingerprint(seen.leaf) == sim.tls.served.fingerprint
        assert sim.tls.application_bytes == 0


def test_verification_is_switched_off_in_that_one_place_only() -> None:
    """No module but the probe names a way to leave a certificate unverified."""
    package = Path(connector.__file__).parent
    off = {"CERT_NONE", "_create_unverified_context", "ssl=False", "aiohttp.Fingerprint"}
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute | ast.Name | ast.keyword)
        if off & {ast.unparse(node), getattr(node, "attr", ""), getattr(node, "id", "")}
    }
    assert found == {"sage100/trust_probe.py"}


async def test_a_hello_without_a_name_carries_none() -> None:
    """As a client without SNI would, to see what IIS shows it."""
    async with listening("sni") as sim:
        port = int(sim.endpoint.split(":")[2].split("/")[0])
        seen = await probe("localhost", port, name="")
        assert seen.leaf is not None
        assert read(seen.leaf).names == ("intranet.acme.test",)
        assert sim.tls.server_names == [None]


async def test_what_never_ends_is_cut_off() -> None:
    """A server that floods is read up to a bound; one that says nothing up to a time."""

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                writer.write(record(22, message(99, bytes(4_000))))
                await writer.drain()

    async with asyncio.timeout(LIMIT_S), serving(flood) as port:
        assert await hello("127.0.0.1", port, "x") == Hello()


async def test_a_silent_server_is_unreachable_and_not_untrusted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing was shown, so nothing is said about certificates: it is tried again."""
    monkeypatch.setattr(trust_probe, "LIMIT_S", 0.05)

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while await reader.read(1_024):
                pass
        writer.close()

    async with asyncio.timeout(LIMIT_S), serving(wait) as port, listening() as sim:
        trust = Trust(f"https://localhost:{port}/agent", pin=sim.tls.served.fingerprint)
        async with client(sim, trust=trust) as agent:
            with pytest.raises(AgentUnreachable, match="handshake") as caught:
                await agent.get_info()
        assert not isinstance(caught.value, TlsRefused)
        assert caught.value.attempts == 2


async def test_certificates_split_over_records_are_put_together() -> None:
    """A chain is longer than a record may be; what follows an incomplete one is left out."""
    chain = [bytes([number]) * 9_000 for number in range(12)]
    stream = message(2, b"\x03\x03" + bytes(38)) + message(11, listed(*chain)) + message(13, b"")
    stream += message(14, b"")
    sent = b"".join(record(22, stream[at : at + 16_000]) for at in range(0, len(stream), 16_000))

    async def show(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(5)
        writer.write(sent)
        with contextlib.suppress(OSError):
            await writer.drain()
            writer.close()

    async with asyncio.timeout(LIMIT_S), serving(show) as port:
        seen = await hello("127.0.0.1", port, "x")
    assert seen.version == "TLS 1.2"
    assert seen.asks
    assert list(seen.certificates) == chain[:10]  # nobody needs more


@given(st.binary(max_size=300))
def test_any_bytes_are_understood_somehow(heard: bytes) -> None:
    """Whatever a server sends gives a Hello, and never an exception."""
    for prefix in (b"", b"\x16\x03\x03\x01\x00", record(22, message(11, listed(heard)))):
        seen = trust_probe._understand(prefix + heard, ended=True, silent=False)
        assert isinstance(seen, Hello)
        assert all(isinstance(read(one), Certificate) for one in seen.certificates)


@pytest.mark.parametrize(
    ("name", "host", "right"),
    [
        ("sage.acme.local", "SAGE.acme.local", True),
        ("sage.acme.local", "sage", False),
        ("*.acme.local", "sage.acme.local", True),
        ("*.acme.local", "a.sage.acme.local", False),
        ("*.acme.local", "acme.local", False),
        ("10.0.0.5", "10.0.0.5", True),
        ("::1", "0:0:0:0:0:0:0:1", True),
        ("*.0.0.5", "10.0.0.5", False),
        ("sage.acme.local", "10.0.0.5", False),
    ],
)
def test_names_match_as_openssl_matches_them(name: str, host: str, *, right: bool) -> None:
    """For the words of a message: exact, or one label for a wildcard; addresses by value."""
    assert matches(name, host) is right
