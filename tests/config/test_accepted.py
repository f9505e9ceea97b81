"""What a correct configuration becomes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from connector.config import InvalidConfiguration, load_config
from connector.errors import Misconfigured
from connector.secret import HIDDEN
from connector.telemetry import secrets_of
from tests.config.sample import ENV, SECOND_AGENT, TEXT, changed, load


def test_every_key_of_the_sample_arrives(tmp_path: Path) -> None:
    """A complete file becomes settings with its own values."""
    config = load(tmp_path)
    (agent,) = config.sage100
    assert config.path == tmp_path / "ml-connector.toml"
    assert config.store.url == f"sqlite:///{tmp_path}/events.db"
    assert (agent.name, agent.companies, agent.timezone) == ("acme", ("ABC",), "America/Chicago")
    assert agent.endpoint == "https://sage.acme.local/Sage100Agent/AgentService.svc"
    assert agent.overlap == timedelta(days=1)
    assert agent.columns == {"CustomerNo": "CustomerNumber"}
    assert agent.auth.username == "ACME\\svc_mlconnector"
    assert agent.auth.password.reveal() == ENV["SAGE100_PASSWORD"]
    assert agent.schedule.sweep == "0 2 * * *"
    assert config.hubspot.token.reveal() == ENV["HUBSPOT_TOKEN"]
    assert config.hubspot.tier == "professional"
    assert config.hubspot.mapping is None
    assert config.console.listen == "127.0.0.1:8440"
    assert config.telemetry.otlp_endpoint == "http://127.0.0.1:4318"
    assert config.notices == ()


def test_what_may_be_left_out_has_a_default(tmp_path: Path) -> None:
    """Only the store, the agents with their log-on, and the token have to be given."""
    text = """
[store]
url = "sqlite:///events.db"
[hubspot]
token = { env = "HUBSPOT_TOKEN" }
"""
    config = load(tmp_path, text + SECOND_AGENT)
    (agent,) = config.sage100
    assert (agent.schedule.customers, agent.schedule.invoices) == ("1h", "15m")
    assert agent.overlap == timedelta(days=1)
    assert agent.revenue_periods == 12
    assert config.hubspot.base_url == "https://api.hubapi.com"
    assert config.hubspot.api_version == "2026-03"
    assert config.telemetry.otlp_endpoint is None


def test_two_agents_each_keep_their_own_tables(tmp_path: Path) -> None:
    """A second [[sage100]] begins anew; nothing carries over from the first."""
    first, second = load(tmp_path, TEXT + SECOND_AGENT).sage100
    assert first.columns
    assert second.columns == {}
    assert (first.auth.username, second.auth.username) == ("ACME\\svc_mlconnector", "north")


def test_secrets_show_nothing(tmp_path: Path) -> None:
    """No text form of the whole configuration holds a secret."""
    text = repr(load(tmp_path))
    assert HIDDEN in text
    assert not [value for value in ENV.values() if value in text]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sqlite:///events.db", "{folder}/events.db"),
        ("sqlite:///data/events.db", "{folder}/data/events.db"),
        ("sqlite:////srv/events.db", "/srv/events.db"),
    ],
)
def test_store_path_is_relative_to_the_file(tmp_path: Path, written: str, meant: str) -> None:
    """Three slashes mean beside the configuration file, four an absolute path."""
    config = load(tmp_path, changed("sqlite:///events.db", written))
    assert config.store.url == "sqlite:///" + meant.format(folder=tmp_path)
    assert str(config.store.file) == meant.format(folder=tmp_path)


def test_store_path_with_odd_characters(tmp_path: Path) -> None:
    """A folder whose name would mean something in a URL is still found."""
    folder = tmp_path / "a %41?#b"
    folder.mkdir()
    store = load(folder).store
    assert store.file == folder / "events.db"
    assert "?" not in store.url


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8000/agent",
        "http://127.9.9.9/agent",
        "http://[::1]:8000/agent",
        "http://localhost:8000/agent",
        "https://10.0.0.5:8443/agent",
    ],
)
def test_plain_http_stays_on_this_machine(tmp_path: Path, address: str) -> None:
    """http:// is for the loopback range; https:// goes anywhere."""
    text = changed("https://sage.acme.local/Sage100Agent/AgentService.svc", address)
    assert load(tmp_path, text).sage100[0].endpoint == address


def test_currency_by_company(tmp_path: Path) -> None:
    """Companies of one agent may each have a currency."""
    text = changed('companies = ["ABC"]', 'companies = ["ABC", "CAN"]')
    text = changed('currency  = "USD"', 'currency  = { ABC = "USD", CAN = "CAD" }', text)
    (agent,) = load(tmp_path, text).sage100
    assert (agent.currency_of("ABC"), agent.currency_of("CAN")) == ("USD", "CAD")


def test_secret_from_a_file(tmp_path: Path) -> None:
    """A secret's file is found beside the configuration; its line end is not part of it."""
    secret = tmp_path / "token"
    secret.write_text("from-file\n")
    secret.chmod(0o600)
    config = load(tmp_path, changed('{ env = "HUBSPOT_TOKEN" }', '{ file = "token" }'))
    assert config.hubspot.token.reveal() == "from-file"
    assert config.notices == ()


@pytest.mark.parametrize("content", [b"\xef\xbb\xbffrom-file\r\n", b"from-file\r\n", b"from-file"])
def test_secret_file_of_any_editor(tmp_path: Path, content: bytes) -> None:
    """A byte order mark and the line's end, as editors leave them, are not part of it."""
    secret = tmp_path / "token"
    secret.write_bytes(content)
    config = load(tmp_path, changed('{ env = "HUBSPOT_TOKEN" }', '{ file = "token" }'))
    assert config.hubspot.token.reveal() == "from-file"


def test_a_password_is_any_text(tmp_path: Path) -> None:
    """Blanks and letters of any language belong to a password as they are."""
    config = load(tmp_path, TEXT, ENV | {"SAGE100_PASSWORD": " p\u00e4ss w\u00f6rd "})
    assert config.sage100[0].auth.password.reveal() == " p\u00e4ss w\u00f6rd "


def test_a_secret_that_nobody_needs_may_be_missing(tmp_path: Path) -> None:
    """Without secrets the configuration loads for reports; whoever reveals one hears what to do."""
    path = tmp_path / "ml-connector.toml"
    path.write_text(TEXT, encoding="utf-8")
    config = load_config(path, {}, secrets_needed=False)
    assert list(secrets_of(config)) == []
    with pytest.raises(Misconfigured, match="HUBSPOT_TOKEN is not set") as raised:
        config.hubspot.token.reveal()
    assert (raised.value.where, raised.value.exit_code) == ("hubspot.token", 2)
    path.write_text(changed('{ env = "HUBSPOT_TOKEN" }', '"pat-na1"'), encoding="utf-8")
    with pytest.raises(InvalidConfiguration):
        load_config(path, {}, secrets_needed=False)


def test_secret_file_open_to_others_is_noticed(tmp_path: Path) -> None:
    """A secret that other users may read is used, and the operator is told."""
    secret = tmp_path / "token"
    secret.write_text("from-file")
    secret.chmod(0o644)
    config = load(tmp_path, changed('{ env = "HUBSPOT_TOKEN" }', '{ file = "token" }'))
    (notice,) = config.notices
    assert str(secret) in notice
    assert "chmod 600" in notice
    assert "from-file" not in notice


def test_the_property_that_links_deals(tmp_path: Path) -> None:
    """Invoices are linked to deals by a property and one of two numbers; unsaid, to none."""
    text = changed(
        "[console]", '[hubspot.deals]\nproperty = "po_no"\nmatches = "customer_po"\n\n[console]'
    )
    deals = load(tmp_path, text).hubspot.deals
    assert (deals.property, deals.matches) == ("po_no", "customer_po")
    assert load(tmp_path).hubspot.deals.property == ""


@pytest.mark.parametrize(("written", "meant"), [("0%", 0.0), ("25%", 0.25), ("90%", 0.9)])
def test_the_reserve_for_other_apps(tmp_path: Path, written: str, meant: float) -> None:
    """A share of the account's daily calls is left to other apps; unsaid it is a tenth."""
    line = 'tier        = "professional"'
    text = changed(line, f'{line}\nreserve = "{written}"')
    assert load(tmp_path, text).hubspot.reserve == pytest.approx(meant)
    assert load(tmp_path).hubspot.reserve == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("written", "meant"), [("1%", 0.01), ("20%", 0.2), ("12.5 %", 0.125), ("100%", 1.0)]
)
def test_the_share_of_a_mass_change(tmp_path: Path, written: str, meant: float) -> None:
    """A share is written in percent; 20 % when it is left out."""
    text = changed('overlap   = "1d"', f'overlap   = "1d"\nmass_change = "{written}"')
    assert load(tmp_path, text).sage100[0].mass_change == pytest.approx(meant)
    assert load(tmp_path).sage100[0].mass_change == 0.2


def test_how_long_sage_100_may_be_in_use(tmp_path: Path) -> None:
    """A span of time as any other; four hours when it is left out."""
    text = changed('overlap   = "1d"', 'overlap   = "1d"\nalarm_after = "90m"')
    assert load(tmp_path, text).sage100[0].alarm_after == timedelta(minutes=90)
    assert load(tmp_path).sage100[0].alarm_after == timedelta(hours=4)


@pytest.mark.parametrize("overlap", ["90s", "30m", "12h", "1d", "1d12h"])
def test_spans_of_time(tmp_path: Path, overlap: str) -> None:
    """A span is a number and a unit, or several in a row."""
    (agent,) = load(tmp_path, changed('"1d"', f'"{overlap}"')).sage100
    assert agent.overlap > timedelta()
