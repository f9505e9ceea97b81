"""What HubSpot itself answers of the amounts, kept from take to take."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from connector.hubspot.api import HubSpot
from connector.hubspot.holdings import read_holdings
from connector.proof.mapped import Mapped
from projections import tieout
from projections.tables import Target

Amounts = tuple[Decimal, ...]


class LiveAmounts:
    """The answers of one proof; none without a HubSpot to ask."""

    def __init__(self, hubspot: HubSpot | None) -> None:
        self._hubspot = hubspot
        self._read: dict[str, tuple[int, dict[str, str] | None]] = {}

    @property
    def asked(self) -> bool:
        """Whether HubSpot is asked at all."""
        return self._hubspot is not None

    async def of(
        self,
        one: Mapped,
        page: Mapping[str, Target | None],
        ours: Mapping[str, Amounts],
        held: Mapping[str, Amounts],
    ) -> dict[str, tuple[bool, Amounts]]:
        """(there at all, amounts) by key, as HubSpot answers; of invoices only what is open.

        Read again in a later take where the log has moved the record since.
        """
        properties = [prop for prop in one.properties if prop]
        if self._hubspot is None or not properties:
            return {}
        versions = {
            key: doc.version
            for key, doc in page.items()
            if doc is not None
            and doc.hubspot_id
            and (one.kind == "companies" or any(held[key]) or any(ours.get(key, ())))
        }
        wanted = [
            key
            for key, version in versions.items()
            if self._read.get(f"{one.kind}/{key}", (-1, None))[0] != version
        ]
        if wanted:
            answers = await read_holdings(
                self._hubspot, one.hubspot_type, one.key, wanted, properties
            )
            for key in wanted:
                self._read[f"{one.kind}/{key}"] = versions[key], answers.get(key)
        out: dict[str, tuple[bool, Amounts]] = {}
        for key in versions:
            _, answer = self._read[f"{one.kind}/{key}"]
            values = answer or {}
            out[key] = (
                answer is not None,
                tuple(tieout.amount_of(values.get(prop, "")) for prop in one.properties),
            )
        return out
