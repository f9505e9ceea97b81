"""What follows a write by itself: the index takes note, totals, companies by e-mail domain."""

from __future__ import annotations

from . import commerce
from .changes import COMPANY_INSIGHTS, Journal, Record
from .records import EMAIL
from .state import State

FREE_MAIL = frozenset(
    {"aol.com", "gmail.com", "gmx.com", "hotmail.com", "icloud.com", "outlook.com", "yahoo.com"}
)
"""Domains of addresses that tell of no company."""


def follow(state: State, object_type: str, journal: Journal) -> None:
    """Do what follows the changes of one request to records of one type, once they stand."""
    touched = list(journal.touched.values())
    state.indexed(object_type, *touched)
    if object_type == "line_items":
        for line in touched:
            commerce.follow_line(state, line.id)
    elif object_type == "contacts" and state.options.auto_companies:
        _companies_by_domain(state, touched, journal.now)


def _companies_by_domain(state: State, contacts: list[Record], now: str) -> None:
    """Associate contacts without a company by the domain of their address, making companies."""
    store = state.stores["companies"]
    known: dict[str, int] | None = None
    for contact in contacts:
        domain = contact.properties.get(EMAIL, "").rpartition("@")[2]
        if (
            not domain
            or domain in FREE_MAIL
            or state.graph.ends("contacts", contact.id, "companies")
        ):
            continue
        if known is None:
            known = {
                name.lower(): one.id
                for one in reversed(list(store.page(0, archived=False)))
                for name in _domains(one)
            }
        company_id = known.get(domain)
        if company_id is None:
            values = {
                "name": domain.partition(".")[0].capitalize(),
                "domain": domain,
                "website": domain,
                "hs_object_source": "COMPANIES",
                "hs_object_source_label": "COMPANIES",
            }
            stage = state.options.default_lifecycle_stage
            if stage:
                values["lifecyclestage"] = stage
            journal = Journal(now, COMPANY_INSIGHTS)
            company = store.create(store.next_id(), values, journal)
            state.indexed("companies", company)
            company_id = known[domain] = company.id
        state.graph.associate("contacts", contact.id, "companies", company_id)


def _domains(company: Record) -> list[str]:
    more = company.properties.get("hs_additional_domains", "").split(";")
    return [one for one in [company.properties.get("domain", ""), *more] if one]
