"""Whatever is done to a portal, by whomever: what it holds stays consistent."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from connector.sandbox.hubspot import HubSpotOptions, Portal
from connector.sandbox.hubspot.exchange import Request
from connector.sandbox.hubspot.graph import Associations
from connector.sandbox.hubspot.records import EMAIL
from connector.sandbox.hubspot.refusals import Refusal
from connector.sandbox.hubspot.rendering import history
from connector.sandbox.hubspot.schema import create
from connector.sandbox.hubspot.writes import batch_create, batch_update, batch_upsert

from .clock import Clock
from .hubspot_api import KEY

KEYS = st.sampled_from(["K1", "k1", "K2", "K3", ""])
EMAILS = st.sampled_from(["a@x.test", "A@x.test", "b@x.test", "c@y.test", "", "no address"])
NAMES = st.sampled_from(["A", "B", ""])
PLACES = st.integers(0, 9)
TYPES = st.sampled_from(["companies", "contacts"])


class APortal(RuleBasedStateMachine):
    """API batches, people's work and the clock, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        options = HubSpotOptions(limits=None, search_lag_s=(1.0, 30.0), auto_companies=True)
        self.portal = Portal(options, clock=self.clock, now=self.clock)
        for kind, group in (("companies", "company"), ("contacts", "contact")):
            wanted = {
                "name": KEY,
                "label": "Key",
                "type": "string",
                "fieldType": "text",
                "groupName": f"{group}information",
                "hasUniqueValue": True,
            }
            create(self.portal, self.request(kind, wanted))

    def request(self, kind: str, body: Any) -> Request:
        """A call as an endpoint gets it."""
        return Request(
            route="",
            version="2026-09",
            object=kind,
            params={},
            query={},
            body=msgspec.json.encode(body),
            now=self.portal.timestamp(),
        )

    def some(self, kind: str, place: int) -> str:
        """The id of a live record, or one that is not there."""
        ids = sorted(self.portal.records(kind))
        return ids[place % len(ids)] if ids else "9"

    @rule(
        kind=TYPES, rows=st.lists(st.tuples(KEYS, EMAILS, NAMES), max_size=4), traced=st.booleans()
    )
    def upsert(self, kind: str, rows: list[tuple[str, str, str]], traced: bool) -> None:
        """A batch upsert by key; refused as a whole it changes nothing."""
        inputs = [
            {"id": key, "idProperty": KEY, "properties": self.values(kind, email, name)}
            | ({"objectWriteTraceId": f"t{number}"} if traced else {})
            for number, (key, email, name) in enumerate(rows)
        ]
        self.batch(batch_upsert, kind, inputs)

    @rule(
        kind=TYPES, rows=st.lists(st.tuples(KEYS, EMAILS, NAMES), max_size=4), traced=st.booleans()
    )
    def create(self, kind: str, rows: list[tuple[str, str, str]], traced: bool) -> None:
        """A batch create."""
        inputs = [
            {"properties": self.values(kind, email, name) | {KEY: key}}
            | ({"objectWriteTraceId": f"t{number}"} if traced else {})
            for number, (key, email, name) in enumerate(rows)
        ]
        self.batch(batch_create, kind, inputs)

    @rule(kind=TYPES, place=PLACES, email=EMAILS, name=NAMES)
    def update(self, kind: str, place: int, email: str, name: str) -> None:
        """A batch update by record id."""
        one = {"id": self.some(kind, place), "properties": self.values(kind, email, name)}
        self.batch(batch_update, kind, [one])

    def values(self, kind: str, email: str, name: str) -> dict[str, str]:
        """What a record of this type is given."""
        if kind == "companies":
            return {"name": name, "domain": email.rpartition("@")[2]}
        return {"firstname": name, "email": email}

    def batch(self, endpoint: Any, kind: str, inputs: list[Any]) -> None:
        """Call an endpoint; what is refused leaves the portal as it was."""
        before = self.portal.snapshot()
        try:
            endpoint(self.portal, self.request(kind, {"inputs": inputs}))
        except Refusal:
            assert self.portal.snapshot() == before

    @rule(kind=TYPES, place=PLACES, key=KEYS)
    def edit(self, kind: str, place: int, key: str) -> None:
        """A person sets or clears a key; another's is refused."""
        try:
            self.portal.edit(kind, self.some(kind, place), {KEY: key})
        except (LookupError, ValueError):
            pass

    @rule(kind=TYPES, a=PLACES, b=PLACES)
    def merge(self, kind: str, a: int, b: int) -> None:
        """Two records become one; no value of a unique property is held twice afterwards."""
        first, second = self.some(kind, a), self.some(kind, b)
        if first != second:
            self.portal.merge(kind, first, second)
            assert {first, second}.isdisjoint(self.portal.records(kind))

    @rule(kind=TYPES, place=PLACES)
    def archive_and_recycle(self, kind: str, place: int) -> None:
        """What was deleted and restored at once is as it was before."""
        record = self.some(kind, place)
        if self.portal.record(kind, record) is not None:
            before = self.portal.snapshot()
            self.portal.archive(kind, record)
            self.portal.recycle(kind, record)
            assert self.portal.snapshot() == before

    @rule(kind=TYPES, place=PLACES)
    def archive(self, kind: str, place: int) -> None:
        """A person deletes a record."""
        if self.portal.record(kind, self.some(kind, place)) is not None:
            self.portal.archive(kind, self.some(kind, place))

    @rule(a=PLACES, b=PLACES)
    def associate(self, a: int, b: int) -> None:
        """A person associates a contact with a company."""
        contact, company = self.some("contacts", a), self.some("companies", b)
        if "9" not in (contact, company):
            self.portal.associate("contacts", contact, "companies", company)

    @rule(seconds=st.floats(0, 40))
    def wait(self, seconds: float) -> None:
        """Time goes by."""
        self.clock.time += seconds

    @invariant()
    def unique_values_are_held_once(self) -> None:
        """Every unique value leads to its holder, and to nobody else."""
        for kind in ("companies", "contacts"):
            store = self.portal.stores[kind]
            for name, index in store.unique.items():
                for value, owner in index.items():
                    held = store.by_id[owner].properties
                    also = held.get("hs_additional_emails", "") if name == EMAIL else ""
                    assert value in (held.get(name, "").casefold(), *also.casefold().split(";"))
                    assert store.by_id[owner].archived_at is None
                holders = [
                    one[name].casefold()
                    for one in self.portal.records(kind).values()
                    if name in one
                ]
                assert sorted(holders) == sorted(set(holders))
                assert set(holders) <= set(index)

    @invariant()
    def associations_are_symmetric_with_one_primary(self) -> None:
        """Both directions tell the same pairs of live records; one company is primary."""
        graph: Associations = self.portal.graph
        there = graph.pairs("contacts", "companies")
        assert there == {(b, a) for a, b in graph.pairs("companies", "contacts")}
        for contact in {a for a, _ in there}:
            assert self.portal.stores["contacts"].live(str(contact)) is not None
            ends = graph.ends("contacts", contact, "companies")
            assert all(self.portal.stores["companies"].live(str(one)) for one in ends)
            assert sum(1 in types for types in ends.values()) <= 1

    @invariant()
    def histories_end_with_what_is_held(self) -> None:
        """The newest value of a property's history is the value it has."""
        for kind in ("companies", "contacts"):
            for record in self.portal.stores[kind].by_id.values():
                for name, value in record.properties.items():
                    assert history(record, name)[0]["value"] == value

    @invariant()
    def counts_are_right(self) -> None:
        """What is counted as live is what can be listed."""
        for kind in ("companies", "contacts"):
            assert self.portal.count(kind) == len(self.portal.records(kind))

    def teardown(self) -> None:
        """After the longest lag Search finds exactly what is there."""
        self.clock.time += 31.0
        for kind in ("companies", "contacts"):
            index = self.portal.indexes[kind]
            assert index.settled()
            for _ in range(5):
                found = {str(one.id): one.properties for one in index.records()}
                assert found == {
                    str(one.id): one.properties
                    for one in self.portal.stores[kind].by_id.values()
                    if one.archived_at is None
                }


TestAPortal = APortal.TestCase
TestAPortal.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
