"""The rules for recognising HubSpot records, our own and deals, as configured."""

from __future__ import annotations

from connector.config.settings import Config
from connector.hubspot.deals import DealRule
from connector.hubspot.matching import MatchRules


def deal_rule(config: Config) -> DealRule:
    """What `[hubspot.deals]` says."""
    deals = config.hubspot.deals
    return DealRule(deals.property, deals.matches)


def match_rules(config: Config) -> MatchRules:
    """What `[hubspot.matching]` says, with what else matters for it."""
    matching = config.hubspot.matching
    companies = {code for agent in config.sage100 for code in agent.companies}
    return MatchRules(
        customer_number=matching.customer_number,
        customer_number_property=matching.customer_number_property,
        email=matching.email,
        domain=matching.domain,
        name=matching.name,
        several_companies=len(companies) > 1,
    )
