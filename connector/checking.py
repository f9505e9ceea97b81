"""Whether both ends would do: asked from end to end, without a store, changing nothing."""

from __future__ import annotations

import asyncio

from connector.check import CheckLine
from connector.config import Config
from connector.config.mapping import load_mapping
from connector.config.matching import match_rules
from connector.hubspot.checks import check_deals, check_hubspot
from connector.opening import open_ends
from connector.reading import books_of, uses_of
from connector.sage100.checks import check_agent
from connector.sage100.instance import instance_of


async def check(config: Config) -> list[CheckLine]:
    """Ask both ends whether they would do; needs no store and changes nothing."""
    mapping = await asyncio.to_thread(load_mapping, config)
    uses = uses_of(config, mapping.source)
    lines: list[CheckLine] = []
    async with open_ends(config) as (hubspot, agents):
        for settings in config.sage100:
            lines += await check_agent(
                agents[settings.name],
                instance_of(settings, details=config.hubspot.line_items),
                uses=uses,
                certificate=settings.auth.client_certificate,
            )
        rules, books = match_rules(config), books_of(config)
        lines += await check_hubspot(hubspot, mapping.source, rules, books)
        lines += await check_deals(hubspot, config.hubspot.deals.property)
    return lines
