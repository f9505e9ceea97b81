"""Both ends on the loopback and a configuration for them, as an operator would write it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from connector.app import App, open_app
from connector.config import Config, load_config
from connector.sandbox.agent import AgentOptions, Company, Model, SimulatedAgent
from connector.sandbox.agent.layouts import ENTITIES
from connector.sandbox.hubspot import HubSpotOptions, SimulatedHubSpot
from tests.e2e.company_rows import Row, Setting
from tests.e2e.expectation import Expectation, expect, merged

SMALL = AgentOptions(customers=30, invoices=120, vendors=5)
SELDOM = {"customers": "1h", "invoices": "1h", "vendors": "1h", "sweep": "1d"}


class Site(msgspec.Struct, frozen=True):
    """A Sage 100 behind its agent, a HubSpot portal, and what the connector is told of them."""

    sage100: SimulatedAgent
    portal: SimulatedHubSpot
    config_path: Path
    env: dict[str, str]

    @property
    def company(self) -> Company:
        """The (first) company of Sage 100."""
        return self.sage100.company

    def config(self) -> Config:
        """The configuration as the connector loads it."""
        return load_config(self.config_path, self.env)

    def app(self) -> AbstractAsyncContextManager[App]:
        """The connector, opened."""
        return open_app(self.config())

    def today(self) -> date:
        """The site's calendar day."""
        return datetime.now(ZoneInfo(self.sage100.options.time_zone)).date()

    def rows(self, company: Company | None = None) -> dict[str, list[Row]]:
        """Every raw row that a company holds."""
        chosen = company or self.company
        return {entity: list(chosen.rows(entity)) for entity in ENTITIES}

    def expectation(self, as_of: date | None = None) -> Expectation:
        """What HubSpot must hold by now, of every company."""
        return merged(
            expect(
                self.rows(company),
                Setting(
                    company=company.code,
                    as_of=as_of or self.today(),
                    currency=company.options.currency,
                    basis=company.options.aging_basis,
                    limits=company.options.aging_limits,
                ),
            )
            for company in self.sage100.model.companies.values()
        )


@asynccontextmanager
async def open_site(
    folder: Path,
    options: AgentOptions = SMALL,
    *,
    hubspot: HubSpotOptions | None = None,
    companies: Sequence[str] | None = None,
    schedule: Mapping[str, str] = SELDOM,
    model: Model | None = None,
) -> AsyncIterator[Site]:
    """Start both ends and write the configuration into `folder`; `companies` as configured.

    `model`: a Sage 100 that is there already; else one is made up.
    Sage 100 stands where it is about noon, so that no test meets a midnight.
    """
    options = msgspec.structs.replace(options, time_zone=_zone_at_noon(datetime.now(UTC).hour))
    async with (
        SimulatedAgent(options, model=model) as sage100,
        SimulatedHubSpot(hubspot) as portal,
    ):
        path = folder / "ml-connector.toml"
        path.write_text(_configuration(sage100, portal, companies, schedule), encoding="utf-8")
        env = {
            "SAGE100_PASSWORD": sage100.password,
            "SAGE100_API_KEY": sage100.api_key,
            "HUBSPOT_TOKEN": portal.token,
        }
        yield Site(sage100=sage100, portal=portal, config_path=path, env=env)


def _zone_at_noon(hour: int) -> str:
    """The zone where it is between 12 and 13 o'clock at this hour in UTC (east has a minus)."""
    east = 12 - hour
    return f"Etc/GMT{-east:+d}" if east else "Etc/GMT"


def _configuration(
    sage100: SimulatedAgent,
    portal: SimulatedHubSpot,
    companies: Sequence[str] | None,
    schedule: Mapping[str, str],
) -> str:
    held = sage100.model.companies
    codes = list(companies or held)
    currencies = {code: held[code].options.currency if code in held else "USD" for code in codes}
    times = "\n".join(f'{name} = "{when}"' for name, when in schedule.items())
    return f"""\
[store]
url = "sqlite:///events.db"

[[sage100]]
name = "acme"
endpoint = "{sage100.endpoint}"
companies = {msgspec.json.encode(codes).decode()}
timezone = "{sage100.options.time_zone}"
currency = {{ {", ".join(f'{code} = "{name}"' for code, name in currencies.items())} }}

[sage100.auth]
scheme = "basic"
username = "{sage100.username}"
password = {{ env = "SAGE100_PASSWORD" }}
api_key = {{ env = "SAGE100_API_KEY" }}

[sage100.schedule]
{times}

[hubspot]
base_url = "{portal.base_url}"
token = {{ env = "HUBSPOT_TOKEN" }}
tier = "professional"
"""
