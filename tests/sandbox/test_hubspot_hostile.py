"""Whatever a client sends, the portal answers or refuses: it never breaks."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.sandbox.hubspot import HubSpotOptions, Portal
from connector.sandbox.hubspot.exchange import Reply, Request
from connector.sandbox.hubspot.refusals import Refusal
from connector.sandbox.hubspot.routes import ROUTES, Route

TEXTS = st.sampled_from(["", "1", "50001", "-1", "9" * 30, "name", "email", "hs_object_id", "é\0;"])
SCALARS = TEXTS | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none()
NAMES = [
    "id",
    "idProperty",
    "inputs",
    "properties",
    "from",
    "to",
    "types",
    "type",
    "associationCategory",
    "associationTypeId",
    "name",
    "label",
    "fieldType",
    "groupName",
    "options",
    "value",
    "filterGroups",
    "filters",
    "propertyName",
    "operator",
    "values",
    "sorts",
    "limit",
    "after",
    "query",
    "associations",
    "objectWriteTraceId",
    "primaryObjectId",
    "objectIdToMerge",
    "labels",
    "requiredProperties",
    "associatedObjects",
    "price",
    "quantity",
    "hs_currency",
    "dealstage",
    "pipeline",
    "archived",
]
VALUES = SCALARS | st.sampled_from(["EQ", "IN", "string", "text", "USD", "number", "ASCENDING"])
BODIES = st.recursive(
    VALUES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
    ),
    max_leaves=20,
)
ENDS = st.fixed_dictionaries({"id": TEXTS})
INPUTS = st.fixed_dictionaries(
    {"id": TEXTS, "properties": st.dictionaries(st.sampled_from(NAMES), SCALARS, max_size=4)},
    optional={
        "idProperty": TEXTS,
        "objectWriteTraceId": TEXTS,
        "from": ENDS,
        "to": ENDS | st.lists(ENDS, max_size=2),
        "types": st.lists(
            st.fixed_dictionaries(
                {"associationCategory": TEXTS, "associationTypeId": st.sampled_from([1, 279, 7])}
            ),
            max_size=2,
        ),
    },
)
PLAUSIBLE = st.fixed_dictionaries({"inputs": st.lists(INPUTS, max_size=4)})
FILTERS = st.fixed_dictionaries(
    {"propertyName": TEXTS, "operator": st.sampled_from(["EQ", "GT", "IN", "BETWEEN"])},
    optional={"value": TEXTS, "highValue": TEXTS, "values": st.lists(TEXTS, max_size=2)},
)
SEARCHES = st.fixed_dictionaries(
    {"filterGroups": st.lists(st.fixed_dictionaries({"filters": st.lists(FILTERS, max_size=2)}))},
    optional={"sorts": st.lists(TEXTS, max_size=1), "after": TEXTS, "query": TEXTS},
)
TYPES = st.sampled_from(["companies", "contacts", "deals", "invoices", "line_items"])


def a_portal() -> Portal:
    """A portal with a record of most types."""
    portal = Portal(HubSpotOptions(limits=None, auto_companies=True, search_lag_s=(0.0, 1.0)))
    portal.add("companies", {"name": "A", "domain": "x.test"})
    portal.add("contacts", {"email": "a@x.test"})
    portal.add("deals", {"dealname": "D"})
    portal.add("invoices", {"hs_currency": "USD", "hs_amount_billed": "1"})
    portal.add("line_items", {"price": "1"})
    return portal


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
@settings(max_examples=20, deadline=None)
@given(
    body=BODIES | PLAUSIBLE | SEARCHES,
    types=st.tuples(TYPES, TYPES),
    params=st.tuples(TEXTS, TEXTS, TEXTS),
    query=st.dictionaries(
        st.sampled_from(["limit", "after", "properties", "idProperty", "archived"]),
        st.lists(TEXTS, min_size=1, max_size=2),
    ),
)
def test_no_request_breaks_an_endpoint(
    route: Route,
    body: Any,
    types: tuple[str, str],
    params: tuple[str, str, str],
    query: dict[str, list[str]],
) -> None:
    """Every endpoint gives an answer that is JSON or a refusal that is one, of any request."""
    portal = a_portal()
    request = Request(
        route=route.name,
        version="2026-09",
        object=types[0],
        to=types[1],
        params=dict(zip(("id", "to_id", "name"), params, strict=True)),
        query=query,
        body=msgspec.json.encode(body),
        now=portal.timestamp(),
    )
    try:
        answer = route.endpoint(portal, request)
    except Refusal as refused:
        answer = Reply(status=refused.problem.status, body=refused.problem.body("id"))

    assert 200 <= answer.status < 500
    assert msgspec.json.encode(answer.body)
    assert portal.snapshot()
