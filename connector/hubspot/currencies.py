"""Whether the portal takes the currencies that companies keep their books in.

HubSpot's own invoices need one of the account's currencies; in another one every invoice of the
company would be refused. Custom objects hold a currency as text and take any.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from connector.hubspot import customs
from connector.hubspot.advice import ADD_CURRENCY
from connector.hubspot.answer import text_of
from connector.hubspot.properties import Problem
from projections.mapping import rules

# Company code to the currency its books are kept in.
Books = Mapping[str, str]

PROPERTY: Final = "hs_currency"
_FACT: Final = "source.currency"


def of_the_account(details: Mapping[str, Any]) -> list[str]:
    """The account's currencies, its own first."""
    more = details.get("additionalCurrencies")
    found = [text_of(details.get("companyCurrency"))]
    found += [text_of(one) for one in more] if isinstance(more, list) else []
    return [one for one in dict.fromkeys(found) if one]


def needed(mapping: rules.Mapping, books: Books) -> dict[str, list[str]]:
    """Currency to the companies whose invoices need it, by this mapping."""
    found: dict[str, list[str]] = defaultdict(list)
    if customs.is_custom(mapping.invoices.hubspot_type):
        return found
    for rule in mapping.invoices.rules:
        if (rule.property, rule.source) == (PROPERTY, _FACT):
            for company, currency in books.items():
                told = rule.values.get(currency, "") if rule.values else currency
                if told:
                    found[told].append(company)
    return found


def refused(mapping: rules.Mapping, books: Books, details: Mapping[str, Any]) -> list[Problem]:
    """Each currency that is needed and that the account does not have."""
    known = of_the_account(details)
    return [
        Problem(
            f"currency {currency}",
            f"the books of {', '.join(companies)} are kept in it, and the account has only "
            f"{', '.join(known)}: none of their invoices would be taken (INVALID_OPTION)",
            ADD_CURRENCY,
        )
        for currency, companies in needed(mapping, books).items()
        if known and currency not in known
    ]
