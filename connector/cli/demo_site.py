"""The demonstration's two ends: a made-up Sage 100 and an empty HubSpot, both in this process.

The connector knows neither: it gets an ordinary configuration file with two addresses and secrets
from the environment, and comes to them over HTTP like to any other.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from connector.config import Config, load_config
from connector.sandbox.agent import AgentOptions, SimulatedAgent, maintenance, posting
from connector.sandbox.hubspot import HubSpotOptions, SimulatedHubSpot

CONFIG_NAME: Final = "ml-connector.toml"

_CONFIG: Final = """\
[store]
url = "sqlite:///events.db"

[[sage100]]
name      = "demo"
endpoint  = "{endpoint}"
companies = ["{company}"]
timezone  = "{timezone}"
currency  = "USD"

[sage100.auth]
scheme   = "basic"
username = "{username}"
password = {{ env = "SAGE100_PASSWORD" }}
api_key  = {{ env = "SAGE100_API_KEY" }}

[sage100.schedule]
customers = "20s"
invoices  = "10s"
vendors   = "20s"
sweep     = "2m"

[hubspot]
base_url = "{base_url}"
token    = {{ env = "HUBSPOT_TOKEN" }}
tier     = "professional"
"""


class Edit(msgspec.Struct, frozen=True):
    """One thing that people did in Sage 100 between two passes. `stamped`: did it show there?"""

    what: str
    key: str
    stamped: bool = True


class Site(msgspec.Struct, frozen=True):
    """Both ends, running, and what the connector is told about them."""

    sage100: SimulatedAgent
    portal: SimulatedHubSpot
    config_path: Path
    env: dict[str, str]

    def config(self) -> Config:
        """The configuration, loaded as `ml-connector` loads any."""
        return load_config(self.config_path, self.env)

    def hubspot_calls(self) -> int:
        """How many calls HubSpot itself has counted."""
        return len(self.portal.calls)

    def agent_calls(self) -> int:
        """How many calls the agent itself has counted."""
        return self.sage100.calls.requests

    def hubspot_records(self) -> dict[str, int]:
        """How many records HubSpot holds, by object."""
        return {
            name: len(self.portal.records(name)) for name in ("companies", "contacts", "invoices")
        }

    def sage100_records(self) -> dict[str, int]:
        """How many records Sage 100 holds, by entity."""
        names = ("AR_Customer", "AP_Vendor", "AR_CustomerContact", "AR_Invoice")
        return {name: self.sage100.model.count(name) for name in names}


@asynccontextmanager
async def simulated_site(*, customers: int, invoices: int, seed: int) -> AsyncIterator[Site]:
    """Start both ends and write a configuration for them into a folder that goes away again."""
    options = AgentOptions(
        seed=seed, customers=customers, invoices=invoices, vendors=max(1, customers // 20)
    )
    async with (
        SimulatedAgent(options) as sage100,
        SimulatedHubSpot(HubSpotOptions(seed=seed)) as portal,
    ):
        with tempfile.TemporaryDirectory(prefix="ml-connector-demo-") as folder:
            path = Path(folder) / CONFIG_NAME
            path.write_text(
                _CONFIG.format(
                    endpoint=sage100.endpoint,
                    company=sage100.company.code,
                    timezone=sage100.options.time_zone,
                    username=sage100.username,
                    base_url=portal.base_url,
                ),
                encoding="utf-8",
            )
            env = {
                "SAGE100_PASSWORD": sage100.password,
                "SAGE100_API_KEY": sage100.api_key,
                "HUBSPOT_TOKEN": portal.token,
            }
            yield Site(sage100=sage100, portal=portal, config_path=path, env=env)


def a_day_at_the_office(site: Site) -> list[Edit]:
    """Change a few records in Sage 100: at the screens, by posting, and by an import."""
    company = site.sage100.company
    customers = [
        (row["ARDivisionNo"], row["CustomerNo"])
        for row in company.rows("AR_Customer")
        if row["TelephoneNo"] and row["City"]
    ]
    first, second, last = customers[0], customers[len(customers) // 2], customers[-1]
    maintenance.change_customer(company, first, {"TelephoneNo": "(312) 555-0142"})
    invoice = posting.post_invoice(company, second, "1250.00")
    posting.receive_payment(company, invoice, "400.00")
    # Visual Integrator imports leave no stamp: only a sweep can see this one.
    maintenance.change_customer(company, last, {"City": "Evanston"}, stamp=False)
    return [
        Edit("a new telephone number", _external(company.code, first)),
        Edit(f"invoice {invoice[2]} posted, and paid in part", _external(company.code, second)),
        Edit(
            "moved to Evanston by an import, which leaves no date of change",
            _external(company.code, last),
            stamped=False,
        ),
    ]


def _external(company: str, customer: tuple[str, str]) -> str:
    return f"{company}:{customer[0]}-{customer[1]}"
