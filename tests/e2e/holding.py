"""What the simulated portal holds, by our own keys, and where it differs from what is expected."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from connector.sandbox.hubspot import SimulatedHubSpot
from tests.e2e.company_rows import Value
from tests.e2e.expectation import Expectation, Expected

# kind -> the portal's type, and the property that holds our key
KEYS = {
    "companies": ("companies", "sage100_customer_key"),
    "vendors": ("companies", "sage100_vendor_key"),
    "contacts": ("contacts", "sage100_contact_key"),
    "invoices": ("invoices", "sage100_invoice_key"),
}
LINKS = (("contacts", "companies"), ("invoices", "companies"), ("invoices", "contacts"))

NOTHING = Expectation()
VOLATILE = {
    "hs_object_id",
    "createdate",
    "lastmodifieddate",
    "hs_lastmodifieddate",
    "hs_lifecyclestage_lead_date",
}

Held = dict[str, dict[str, dict[str, str]]]  # kind -> key -> properties


def held(portal: SimulatedHubSpot) -> Held:
    """Every record that carries one of our keys; AssertionError when a key is there twice."""
    out: Held = {}
    for kind, (object_type, key_property) in KEYS.items():
        found = [
            properties
            for properties in portal.records(object_type).values()
            if key_property in properties
        ]
        out[kind] = {properties[key_property]: properties for properties in found}
        assert len(out[kind]) == len(found), f"a {key_property} is there twice"
    return out


def linked(portal: SimulatedHubSpot) -> set[tuple[str, str]]:
    """Every association, as pairs of "kind/key"; an end without our key shows as its id."""
    names: dict[tuple[str, str], str] = {}
    for kind, (object_type, key_property) in KEYS.items():
        for record_id, properties in portal.records(object_type).items():
            if key_property in properties:
                names[object_type, record_id] = f"{kind}/{properties[key_property]}"
    return {
        (names.get((left, a), f"{left}#{a}"), names.get((right, b), f"{right}#{b}"))
        for left, right in LINKS
        for a, b in portal.associations(left, right)
    }


def lasting(portal: SimulatedHubSpot) -> tuple[Held, set[tuple[str, str]]]:
    """Records and links without what differs from one portal to the next: ids and times."""
    kept = {
        kind: {
            key: {name: value for name, value in one.items() if name not in VOLATILE}
            for key, one in records.items()
        }
        for kind, records in held(portal).items()
    }
    return kept, linked(portal)


def balance(portal: SimulatedHubSpot, kind: str) -> Decimal:
    """The sum of the open balances that these records show."""
    shown = held(portal)[kind].values()
    return sum((Decimal(one.get("sage100_balance", "0")) for one in shown), Decimal(0))


def differences(
    portal: SimulatedHubSpot,
    expected: Expectation,
    *,
    before: Held | None = None,
    left: Expectation = NOTHING,
) -> list[str]:
    """Every way in which the portal is not as expected; empty when it is.

    `before`: what it held earlier; then what only fills gaps may not have replaced a value.
    `left`: what was expected earlier; of that records and links may stay that Sage 100 has no more.
    """
    shown = held(portal)
    out: list[str] = []
    for kind, records in expected.kinds().items():
        gone = left.kinds()[kind].keys() - records.keys()
        out += [f"{kind}/{key} is missing" for key in (records.keys() | gone) - shown[kind].keys()]
        extra = shown[kind].keys() - records.keys() - gone
        out += [f"{kind}/{key} should not be" for key in extra]
        for key in records.keys() & shown[kind].keys():
            earlier = (before or {}).get(kind, {}).get(key)
            for name, want, has in _record(records[key], shown[kind][key], earlier):
                out.append(f"{kind}/{key} {name}: {has!r}, not {str(want)!r}")
    for object_type in ("companies", "contacts", "invoices", "deals"):
        ours = [kind for kind, (held_as, _) in KEYS.items() if held_as == object_type]
        wanted = sum(
            len(expected.kinds()[kind].keys() | left.kinds()[kind].keys()) for kind in ours
        )
        if portal.count(object_type) != wanted:
            out.append(f"{portal.count(object_type)} {object_type}, not {wanted}")
    links = linked(portal)
    # An invoice that Sage 100 has still belongs to nobody else than is expected now.
    known = {f"invoices/{key}" for key in expected.invoices}
    kept = {(a, b) for a, b in left.links if a not in known}
    out += [f"no link {a} > {b}" for a, b in (expected.links | kept) - links]
    out += [f"link {a} > {b} should not be" for a, b in links - expected.links - kept]
    return sorted(out)


def _record(
    expected: Expected, shown: dict[str, str], earlier: dict[str, str] | None
) -> Iterator[tuple[str, Value, str]]:
    """(property, wanted, held) where they differ, and what is ours without being expected."""
    wanted: dict[str, Value] = dict(expected.always)
    for name, value in expected.fill.items():
        wanted[name] = (earlier or {}).get(name) or value
    for name, value in expected.create.items():
        if earlier is None:
            wanted[name] = value
        elif name not in expected.fill:
            wanted[name] = earlier.get(name, "")
    wanted |= {name: "" for name in shown if name.startswith("sage100_") and name not in wanted}
    for name, want in wanted.items():
        if not same(want, shown.get(name, "")):
            yield name, want, shown.get(name, "")


def same(want: Value, has: str) -> bool:
    """Equal as numbers where a number is wanted, else as texts."""
    if not isinstance(want, Decimal):
        return want == has
    try:
        return want == Decimal(has)
    except InvalidOperation:
        return False
