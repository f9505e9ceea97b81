"""What this configuration reads of Sage 100, for what, and in which currencies."""

from __future__ import annotations

from connector.config import Config
from projections.columns import Use, Uses, uses
from projections.mapping.rules import Mapping


def uses_of(config: Config, mapping: Mapping) -> Uses:
    """Entity to column to what in HubSpot is made of it."""
    found = uses(mapping)
    deals = config.hubspot.deals
    if not deals.property:
        return found
    by_order = ("SalesOrderNo", "AppliedSalesOrderNos")
    linked = by_order if deals.matches == "sales_order" else ("CustomerPONo",)
    invoices = dict(found.get("AR_Invoice", {}))
    for column in linked:
        link = Use(f"links of invoices to deals by {deals.property}", "the deal's number")
        invoices[column] = (*invoices.get(column, ()), link)
    return {**found, "AR_Invoice": invoices}


def books_of(config: Config) -> dict[str, str]:
    """Company code to the currency its books are kept in, over all instances."""
    return {code: agent.currency_of(code) for agent in config.sage100 for code in agent.companies}
