"""A configuration like the one in the documentation, to be spoiled one line at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from connector.config import Config, InvalidConfiguration, Problem, load_config

ENV: Final = {
    "SAGE100_PASSWORD": "pass-word-1",
    "SAGE100_API_KEY": "api-key-1",
    "HUBSPOT_TOKEN": "token-1",
}

TEXT: Final = """\
[store]
url = "sqlite:///events.db"

[[sage100]]
name      = "acme"
endpoint  = "https://sage.acme.local/Sage100Agent/AgentService.svc"
companies = ["ABC"]
timezone  = "America/Chicago"
currency  = "USD"
overlap   = "1d"
quiet_hours = ["22:00-04:30"]
revenue_periods = 12

[sage100.auth]
scheme    = "basic"
username  = 'ACME\\svc_mlconnector'
password  = { env = "SAGE100_PASSWORD" }
api_key   = { env = "SAGE100_API_KEY" }

[sage100.tls]

[sage100.schedule]
customers = "1h"
invoices  = "15m"
vendors   = "1h"
sweep     = "0 2 * * *"

[sage100.columns]
CustomerNo = "CustomerNumber"

[hubspot]
base_url    = "https://api.hubapi.com"
api_version = "2026-03"
token       = { env = "HUBSPOT_TOKEN" }
tier        = "professional"

[console]
listen = "127.0.0.1:8440"

[telemetry]
otlp_endpoint = "http://127.0.0.1:4318"
metrics       = true
"""

SECOND_AGENT: Final = """
[[sage100]]
name      = "north"
endpoint  = "https://north.acme.local/Agent.svc"
companies = ["CAN"]
timezone  = "America/Toronto"
currency  = "CAD"
[sage100.auth]
scheme    = "basic"
username  = "north"
password  = { env = "SAGE100_PASSWORD" }
api_key   = { env = "SAGE100_API_KEY" }
"""


def load(folder: Path, text: str = TEXT, env: dict[str, str] | None = None) -> Config:
    """Write the text as a file in `folder` and load it."""
    path = folder / "ml-connector.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, ENV if env is None else env)


def changed(old: str, new: str, text: str = TEXT) -> str:
    """The sample with one line's text replaced."""
    assert text.count(old) >= 1, old
    return text.replace(old, new, 1)


def problems(folder: Path, text: str, env: dict[str, str] | None = None) -> list[Problem]:
    """The mistakes found in the text; the test fails when there are none."""
    try:
        load(folder, text, env)
    except InvalidConfiguration as found:
        return found.problems
    raise AssertionError("the configuration was accepted")


def only_problem(folder: Path, text: str, env: dict[str, str] | None = None) -> Problem:
    """The one mistake found in the text."""
    found = problems(folder, text, env)
    assert len(found) == 1, found
    return found[0]


def line(fragment: str, text: str) -> int:
    """The line of the text on which a fragment stands."""
    return text[: text.index(fragment)].count("\n") + 1
