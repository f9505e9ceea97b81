"""Where the client goes, whom it trusts, and what it shows of its secrets."""

from __future__ import annotations

import pickle
import ssl
from pathlib import Path

import pytest

from connector.errors import Misconfigured
from connector.sage100.agent import Agent
from connector.sage100.auth import Credentials, headers
from connector.sage100.endpoint import endpoint_of, same_agent, tls_context
from connector.sage100.errors import Call
from connector.secret import HIDDEN, Secret


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://sage.acme.local/agent",
        "http://10.0.0.5/agent",
        "ftp://127.0.0.1/agent",
        "https:///agent",
        "sage.acme.local",
        "https://user:pass@sage.acme.local/agent",
        "https://sage.acme.local/agent?wsdl",
        "https://sage.acme.local:99999/agent",
        "",
    ],
)
def test_an_unsafe_endpoint_is_refused_by_the_client_itself(endpoint: str) -> None:
    """Only HTTPS, or HTTP inside this machine, and nothing secret in the address."""
    with pytest.raises(Misconfigured) as caught:
        Agent(endpoint, credentials=Credentials())
    assert "endpoint" in str(caught.value)
    assert "pass" not in caught.value.what.replace("passwords", "").replace("password", "")


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://sage.acme.local/agent",
        "http://127.0.0.1:8080/a",
        "http://localhost/a",
        "http://[::1]/a",
    ],
)
def test_a_safe_endpoint_is_taken(endpoint: str) -> None:
    """HTTPS anywhere, HTTP on the loopback."""
    assert str(endpoint_of(endpoint)).startswith(endpoint[:7])


@pytest.mark.parametrize(
    "spelled",
    [
        "https://SAGE.acme.local./Sage100Agent/AgentService.svc",
        "https://sage.acme.local:443/sage100agent/agentservice.svc",
        "https://sage.acme.local/x/../Sage100Agent/AgentService.svc/",
        "HTTPS://sage.acme.local/Sage100Agent/AgentService%2Esvc",
    ],
)
def test_one_agent_is_known_by_every_spelling(spelled: str) -> None:
    """Case, the usual port, a final dot or slash make no other agent; host, port and path do."""
    plain = same_agent("https://sage.acme.local/Sage100Agent/AgentService.svc")
    assert same_agent(spelled) == plain
    for other in ("https://sage.acme.local:8443", "https://sage2.acme.local", "http://127.0.0.1"):
        assert same_agent(f"{other}/Sage100Agent/AgentService.svc") != plain
    assert same_agent("https://sage.acme.local/Other/AgentService.svc") != plain


def test_trust_is_never_off(tmp_path: Path) -> None:
    """Certificates and host names are checked, TLS 1.2 at least, and a bad bundle is named."""
    context = tls_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    empty = tmp_path / "root.pem"
    for content in (None, "nothing"):
        if content is not None:
            empty.write_text(content)
        with pytest.raises(Misconfigured, match=r"root\.pem"):
            tls_context(empty)


@pytest.mark.parametrize(
    "wrong",
    [
        {"username": "a:b", "password": Secret("x")},
        {"username": "a"},
        {"password": Secret("x")},
        {"api_key": Secret("key\r\nHost: evil")},
        {"api_key": Secret(" key")},
    ],
)
def test_credentials_that_cannot_work_are_refused(wrong: dict[str, str | Secret]) -> None:
    """What Basic or a header cannot carry is found before it travels."""
    with pytest.raises(Misconfigured, match="auth"):
        Credentials(**wrong)  # type: ignore[arg-type]


def test_credentials_show_nothing() -> None:
    """Neither repr nor a call's text holds a secret."""
    credentials = Credentials(username="svc", password=Secret("s3cret"), api_key=Secret("k3y"))
    assert "s3cret" not in repr(credentials)
    assert "k3y" not in repr(credentials)
    assert headers(credentials)["X-API-Key"] == "k3y"
    assert headers(Credentials()) == {}
    call = Call("https://x/y", "GetInfo", ("s3cret",))
    assert "s3cret" not in repr(call)
    assert call.excerpt("a s3cret b") == "a ••• b"


def test_a_secret_shows_itself_only_when_asked() -> None:
    """Every text form hides the value, comparing works, and nothing writes it anywhere."""
    secret = Secret("s3cret")
    assert secret.reveal() == "s3cret"
    assert {repr(secret), str(secret), f"{secret}", f"{secret:>9}", "%s" % secret} == {HIDDEN}  # noqa: UP031
    assert secret == Secret("s3cret")
    assert secret != Secret("other")
    assert secret != "s3cret"
    assert len({secret, Secret("s3cret")}) == 1
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(ValueError, match="empty"):
        Secret("")
