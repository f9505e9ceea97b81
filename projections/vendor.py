"""A vendor of Sage 100 as a HubSpot company of type VENDOR, under a key property of its own."""

from __future__ import annotations

from collections.abc import Mapping

from projections import keys, values


def facts(key: str, row: Mapping[str, str]) -> dict[str, str]:
    """Derived facts of vendor `key` (ABC:00-V001)."""
    return {
        "key.external": key,
        "key.company": keys.company_code(key),
        "key.record": keys.plain(key.partition(":")[2]),
        "account.street": row.get("AddressLine1", ""),
        "account.domain": values.domain(row.get("URLAddress", ""), row.get("EmailAddress", "")),
        "constant.vendor": "VENDOR",
    }
