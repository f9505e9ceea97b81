"""HubSpot's half of `check`: the token, each object and its properties, and the limits.

Reads only. Goes as far as it gets: an object that cannot be read does not hide the others.
"""

from __future__ import annotations

from collections.abc import Collection
from types import MappingProxyType
from typing import Final

from connector.check import CheckLine
from connector.errors import ConnectorError
from connector.hubspot import currencies
from connector.hubspot.answer import Answer, entries, text_of
from connector.hubspot.api import HubSpot
from connector.hubspot.currencies import Books
from connector.hubspot.matching import MatchRules
from connector.hubspot.properties import compare, definitions
from connector.hubspot.refusal import why_whole
from connector.hubspot.schema import checked, unreadable
from projections.mapping.rules import Mapping

_NO_RULES: Final = MatchRules()
_SETUP = "Run 'ml-connector setup'."


async def check_hubspot(
    hubspot: HubSpot,
    mapping: Mapping,
    rules: MatchRules = _NO_RULES,
    books: Books = MappingProxyType({}),
) -> list[CheckLine]:
    """Every line of the report; the last ones are missing when HubSpot does not let us in.

    `books`: company code to the currency its books are kept in.
    """
    subject = f"HubSpot {hubspot.base_url}"
    try:
        account = checked(await hubspot.account_details(), hubspot)
    except ConnectorError as problem:
        return [CheckLine(subject, False, problem.what, problem.remedy)]
    if not account.ok:
        return [CheckLine(subject, False, *_unexpected(account))]
    lines = [CheckLine(subject, True, _portal(account)), *_currencies(account, mapping, books)]
    for object_type in dict.fromkeys(one.hubspot_type for one in mapping.objects().values()):
        try:
            answer = checked(await hubspot.read_properties(object_type), hubspot)
        except ConnectorError as problem:
            lines.append(CheckLine(f"HubSpot {object_type}", False, problem.what, problem.remedy))
            continue
        if answer.ok:
            lines += _object(object_type, answer, mapping)
            if object_type == mapping.companies.hubspot_type:
                lines += _matched(object_type, definitions(answer), rules)
            lines += await _may_write(hubspot, object_type)
        else:
            problem_found = unreadable(object_type, answer)
            lines.append(
                CheckLine(
                    f"HubSpot {object_type}", False, problem_found.detail, problem_found.remedy
                )
            )
    lines.append(_limits(hubspot))
    return lines


def _matched(object_type: str, live: Collection[str], rules: MatchRules) -> list[CheckLine]:
    """Whether the property by which customers are to be recognised is there."""
    name = rules.customer_number_property
    if rules.customer_number == "off" or name in live:
        return []
    return [
        CheckLine(
            f"HubSpot {object_type}.{name}",
            False,
            "[hubspot.matching] names it for customer numbers, and the portal does not have it",
            'Correct customer_number_property, or set customer_number = "off".',
        )
    ]


async def check_deals(hubspot: HubSpot, property_name: str) -> list[CheckLine]:
    """Whether deals can be searched by this property; no line without one."""
    if not property_name:
        return []
    subject = f"HubSpot deals.{property_name}"
    try:
        answer = checked(await hubspot.read_properties("deals"), hubspot)
        if answer.ok and property_name not in definitions(answer):
            remedy = (
                "Correct [hubspot.deals] property: it is the internal name, as HubSpot shows it."
            )
            return [CheckLine(subject, False, "deals have no such property", remedy)]
        if answer.ok:
            answer = checked(
                await hubspot.search("deals", property_name, ["0"], [property_name]), hubspot
            )
    except ConnectorError as problem:
        return [CheckLine(subject, False, problem.what, problem.remedy)]
    if not answer.ok:
        problem_found = unreadable("deals", answer)
        return [CheckLine(subject, False, problem_found.detail, problem_found.remedy)]
    return [CheckLine(subject, True, "invoices are linked to the deal that carries their number")]


async def _may_write(hubspot: HubSpot, object_type: str) -> list[CheckLine]:
    """A line when the token may not write such records: an empty batch changes nothing."""
    try:
        answer = await hubspot.batch_update(object_type, [])
    except ConnectorError as problem:
        return [CheckLine(f"HubSpot {object_type}", False, problem.what, problem.remedy)]
    if answer.status != 403:
        return []  # whatever it says of a batch of nothing, it was let in
    why = why_whole(answer)
    scopes = ", ".join(why.properties) or f"crm.objects.{object_type}.write"
    remedy = (
        f"Grant the token this scope in HubSpot (Development > Keys): {scopes}. Until then these "
        "records wait, and everything else goes on."
    )
    return [CheckLine(f"HubSpot {object_type}", False, "the token may not write them", remedy)]


def _object(object_type: str, answer: Answer, mapping: Mapping) -> list[CheckLine]:
    live = definitions(answer)
    missing: list[str] = []
    lines = []
    for one in mapping.objects().values():
        if one.hubspot_type == object_type:
            comparison = compare(one, live)
            missing += [body["name"] for body in comparison.missing]
            lines += [
                CheckLine(f"HubSpot {found.subject}", False, found.detail, found.remedy)
                for found in comparison.problems
            ]
    names = list(dict.fromkeys(missing))
    if names:
        shown = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
        detail = f"{len(names)} properties are missing: {shown}"
        lines.insert(0, CheckLine(f"HubSpot {object_type}", False, detail, _SETUP))
    else:
        detail = f"readable, {len(live)} properties"
        lines.insert(0, CheckLine(f"HubSpot {object_type}", True, detail))
    return lines


def _portal(account: Answer) -> str:
    details = account.body
    return (
        f"token accepted: portal {text_of(details.get('portalId'))}, "
        f"time zone {text_of(details.get('timeZone'))}, "
        f"currencies {', '.join(currencies.of_the_account(details))}"
    )


def _currencies(account: Answer, mapping: Mapping, books: Books) -> list[CheckLine]:
    """Whether the account has the currencies that invoices are told in; no line without any."""
    needed = currencies.needed(mapping, books)
    if not needed:
        return []
    problems = currencies.refused(mapping, books, account.body)
    if problems:
        return [
            CheckLine(f"HubSpot {one.subject}", False, one.detail, one.remedy) for one in problems
        ]
    return [CheckLine("HubSpot currencies", True, f"the account has {', '.join(needed)}")]


def _unexpected(answer: Answer) -> tuple[str, str]:
    errors = entries(answer.body, "errors")
    detail = text_of(answer.body.get("message")) or f"HTTP status {answer.status}"
    remedy = "Grant the token the scopes HubSpot names." if errors else "Check base_url."
    return detail, remedy


def _limits(hubspot: HubSpot) -> CheckLine:
    state = hubspot.limiter.state()
    general = next(gate for gate in state.gates if gate.gate == "general")
    daily = "not told by HubSpot"
    if state.daily_limit is not None and state.daily_left is not None:
        daily = f"{state.daily_left:,} of {state.daily_limit:,} left today"
    detail = f"{general.limit} calls per {general.window_s:.0f} s used at most; {daily}"
    if state.daily_left == 0:
        return CheckLine("HubSpot limits", False, detail, "Wait for the portal's midnight.")
    return CheckLine("HubSpot limits", True, detail)
