"""Making up who a bundle is about: every name, number and text that could tell, consistently.

Kept as they are: amounts, dates and times (in columns that hold such), terms, statuses and other
codes of accounting, sequence numbers, the mapping. Made up: keys and numbers of customers,
contacts, vendors and invoices, the company code and the name of the agent, every other column,
whatever a property shows of them, and HubSpot's ids. In messages the words that were made up
elsewhere are, addresses and long numbers; of a message that speaks of other records than ours
nothing is left. What is not known to be harmless is made up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from connector.bundle.files import ERASED, Bundle, BundleEvent, payload_of
from connector.bundle.pseudonyms import Pseudonyms
from connector.sage100.fingerprint import fingerprint
from projections import countries, events, keys, personal, values
from projections.columns import ENTITY_OF
from projections.mapping import compiled

_STAMPS: Final = ("DateCreated", "TimeCreated", "DateUpdated", "TimeUpdated")
_NUMBERS: Final = frozenset({"CustomerNo", "ContactCode", "VendorNo"})
_KEPT: Final[dict[str, frozenset[str]]] = {
    **{entity: columns - _NUMBERS for entity, columns in personal.KEPT.items()},
    "AR_Customer": (personal.KEPT["AR_Customer"] | {"CountryCode"}) - _NUMBERS,
    "AP_Vendor": (personal.KEPT["AP_Vendor"] | {"CountryCode"}) - _NUMBERS,
    "AR_Invoice": frozenset(
        (
            *("ARDivisionNo", "SoldToDivisionNo", "HeaderSeqNo", "InvoiceType"),
            *("InvoiceDate", "InvoiceDueDate"),
            *("InvoiceDiscountDate", "PostingDate", "TermsCode", "ModuleCode", "TaxableAmt"),
            *("NonTaxableAmt", "FreightAmt", "SalesTaxAmt", "DiscountAmt", "DepositAmt"),
            *("RetentionAmt", "Balance", "IsOpen", *_STAMPS),
        )
    ),
    "AR_Payment": frozenset(
        (
            *("ARDivisionNo", "InvoiceType", "TransactionDate", "SequenceNo", "TransactionType"),
            *("InvoiceHistoryHeaderSeqNo", "PaymentDate", "PaymentType", "TransactionAmt"),
            *_STAMPS,
        )
    ),
    "AR_InvoiceDetail": frozenset(
        (
            *("HeaderSeqNo", "DetailSeqNo", "ItemType", "UnitOfMeasure", "Discount", "PriceLevel"),
            *("QuantityShipped", "QuantityOrdered", "QuantityBackordered", "QuantityPerBill"),
            *("UnitPrice", "UnitCost", "UnitOfMeasureConvFactor", "ExtensionAmt", "CommissionAmt"),
            *("LineDiscountPercent", "TaxClass", "TaxAmt", "TaxRate", "TaxTypeApplied"),
            *("DebitCreditIndicator", "DropShip", "ExplodedKitItem", "StandardKitBill"),
            *("SkipPrintCompLine", "PromiseDate"),
        )
    ),
    "AR_CustomerSalesHistory": frozenset(
        ("ARDivisionNo", "FiscalYear", "FiscalPeriod", "DollarsSold", "CostOfGoodsSold")
    ),
}
# Facts that say nothing of who it is: by what they begin with, and single ones.
_PLAIN_FACTS: Final = ("aging.", "sage.", "invoice.", "source.", "terms.", "constant.")
_PLAIN_FACT: Final = frozenset(
    {"account.stage", "account.revenue", "account.average_days_to_pay"}
    | {"account.last_payment_date", "account.last_payment_amount"}
    | {"line.quantity", "line.price", "line.amount"}
)
_NO_NAME: Final = "Line"  # what a line without any description is called
_TIMES: Final = frozenset({"date", "datetime"})  # transforms of what is a date
_DATE: Final = re.compile(r"(?:19|20)\d\d-?[01]\d-?[0-3]\d(?:T[\d:.]+Z?)?")
# Reasons whose message names HubSpot records that are not ours, with the people in them.
_OF_OTHERS: Final = ("match_", "conflict")
_COUNTRIES: Final = frozenset(countries.NAMES.values())
_SHORT: Final = re.compile(r"[A-Za-z0-9]{0,4}")
_CODE: Final = re.compile(
    r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|CONFLICT|[a-z]+(?:_[a-z]+)+|rejected|merged"
)
_KEYS: Final = "keys "  # begins a selection that lists what somebody typed
_LEFT_OUT: Final = "what HubSpot said is left out here: it may name others"
# Fields of events that tell of nobody.
_PLAIN_FIELDS: Final = frozenset(
    {"stamp", "via", "kind", "outcome", "category", "was", "mapping", "digest", "date", "timezone"}
    | {"currency", "aging_basis", "fill", "cleared", "unsaid", "lifted", "rule"}
    | {"columns", "properties"}
)
_SENTENCES: Final = frozenset(
    {"reason", "message", "advice", "why", "because", "evidence", "selection", "code"}
)
_NAMES: Final = frozenset({"targets", "waiting_for"})
_IDS: Final = frozenset({"hubspot_id", "replaced", "owner", "correlation_id", "batch", "lost"})
_DEALS: Final = frozenset({"deal", "former", "candidates"})  # ids that targets are named by
_VALUES: Final = frozenset(
    {"changes", "values", "kept", "held", "withheld", "expected", "overtaken", "alone"}
)


def disguise(bundle: Bundle, names: Pseudonyms) -> Bundle:
    """The bundle about somebody else. Deterministic but for what `names` chooses."""
    mask = _Mask(bundle, names)
    # Rows first: they teach which words tell who it is.
    for event in bundle.events:
        if event.stream.startswith("sage/"):
            mask.event(event)
    return msgspec.structs.replace(
        bundle,
        key=mask.target(bundle.key),
        events=[mask.event(event) for event in bundle.events],
    )


class _Mask:
    def __init__(self, bundle: Bundle, names: Pseudonyms) -> None:
        self._names = names
        self._mappings: list[compiled.CompiledMapping] = []
        for event in bundle.events:
            payload = payload_of(event)
            if isinstance(payload, events.MappingActivated):
                self._mappings.append(compiled.restore(payload.mapping))
        self._dates = {
            (ENTITY_OF[kind], rule.source)
            for mapping in self._mappings
            for kind, section in mapping.source.objects().items()
            for rule in section.rules
            if rule.transform in _TIMES
        }

    # ------------------------------------------------------------ names of things

    def _part(self, part: str) -> str:
        """One part of a key."""
        return keys.escape(self._names.text(keys.plain(part)))

    def record(self, entity: str, key: str) -> str:
        """A record key: 01-ABF:0100215-000001-IN."""
        if entity == "AR_TermsCode":
            return key
        first, *rest = key.split(":")
        if entity == "AR_InvoiceDetail":
            number, *tail = first.rsplit("-", 2)
            return "-".join([self._part(number), *tail])
        division, dash, number = first.partition("-")
        out = [f"{division}{dash}{self._part(number)}"]
        if entity == "AR_CustomerSalesHistory":
            return ":".join([*out, *rest])
        for index, group in enumerate(rest):
            if entity == "AR_CustomerContact":
                out.append(self._part(group))
            elif index == 0:
                pieces = 2 if entity == "AR_Invoice" else 1
                number, *tail = group.rsplit("-", pieces)
                out.append("-".join([self._part(number), *tail]))
            else:
                out.append(group)
        return ":".join(out)

    def external(self, kind: str, key: str) -> str:
        """An external key: ABC:01-ABF…"""
        code, _, record = key.partition(":")
        # A line is keyed as a part of its invoice: ABC:01-ABF:0100215-000001-IN:000002.
        entity = "AR_Invoice" if kind == "line_items" else ENTITY_OF[kind]
        return f"{self._part(code)}:{self.record(entity, record)}"

    def target(self, name: str) -> str:
        """A target: companies/ABC:01-ABF, associations/contacts:…>companies:…"""
        kind, key = keys.split_target(name)
        if kind == "associations":
            return keys.association(*(self.target(end) for end in keys.ends(key)))
        known = kind in ENTITY_OF
        return keys.target(kind, self.external(kind, key) if known else self._part(key))

    def stream(self, name: str) -> str:
        """A stream's name."""
        head, _, rest = name.partition("/")
        if head == "hubspot":
            return keys.hubspot_stream(self.target(rest))
        if head == "sage":
            instance, code, entity, key = rest.split("/", 3)
            key = self.record(entity, key)
            return keys.sage_stream(self._part(instance), self._part(code), entity, key)
        if head == "poll":
            instance, code, entity = rest.split("/", 2)
            return keys.poll_stream(self._part(instance), self._part(code), entity)
        first, *tail = rest.split("/")
        return "/".join([head, first, *map(self._part, tail)])

    # ------------------------------------------------------------ what they say

    def event(self, event: BundleEvent) -> BundleEvent:
        """The event, about somebody else."""
        payload = payload_of(event)
        data = ERASED
        if isinstance(payload, events.MappingActivated):
            data = event.data
        elif isinstance(payload, events.RecordObserved | events.RecordErased):
            data = msgspec.Raw(events.encode(self._row(event.stream, payload)))
        elif payload is not None:
            kind = event.stream.split("/")[1] if event.stream.startswith("hubspot/") else ""
            plain = msgspec.json.decode(events.encode(payload))
            if event.stream.startswith("sage/"):
                plain |= {"key": self._key(event.stream, plain["key"]), "fingerprint": ""}
            data = msgspec.Raw(msgspec.json.encode(self._fields(kind, plain)))
        return msgspec.structs.replace(event, stream=self.stream(event.stream), data=data)

    def _row(
        self, stream: str, payload: events.RecordObserved | events.RecordErased
    ) -> events.Event:
        entity = _entity(stream)
        row = {name: self._cell(entity, name, value) for name, value in payload.row.items()}
        key = self._key(stream, payload.key)
        return msgspec.structs.replace(payload, key=key, row=row, fingerprint=fingerprint(row))

    def _key(self, stream: str, parts: list[str]) -> list[str]:
        """The key columns of a source record."""
        entity = _entity(stream)
        columns = keys.KEY_COLUMNS.get(entity, ())
        return [self._cell(entity, name, part) for name, part in zip(columns, parts, strict=False)]

    def _cell(self, entity: str, column: str, value: str) -> str:
        if entity == "AR_TermsCode":
            return value
        if column in _KEPT.get(entity, frozenset()) and _is_what_it_should_be(value):
            return value
        if (entity, column) in self._dates and _DATE.fullmatch(value.strip()):
            return value
        return self._names.text(value)

    def _fields(self, kind: str, plain: Mapping[str, Any]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        of_others = str(plain.get("reason", "")).casefold().startswith(_OF_OTHERS)
        for name, value in plain.items():
            if name == "message" and of_others:
                out[name] = _LEFT_OUT
            elif name == "reason" and _CODE.fullmatch(str(value)):
                out[name] = value
            elif name == "selection" and str(value).startswith(_KEYS):
                # Of which others were sent again along with this record.
                out[name] = _KEYS + self._names.text(str(value).removeprefix(_KEYS))
            elif name in _VALUES and isinstance(value, dict):
                out[name] = {prop: self._shown(kind, prop, one) for prop, one in value.items()}
            elif name in _NAMES:
                out[name] = [self.target(one) for one in value]
            elif name in _DEALS:
                ids = [value] if isinstance(value, str) else value
                made = [self._part(one) if one else "" for one in ids]
                out[name] = made[0] if isinstance(value, str) else made
            elif name in _IDS or name in {"instance", "company"}:
                out[name] = self._names.text(value)
            elif name in {"key", *_PLAIN_FIELDS}:
                out[name] = value
            elif name in _SENTENCES and isinstance(value, str):
                out[name] = self._names.words_of(value)
            else:
                out[name] = self._anything(value)
        return out

    def _anything(self, value: Any) -> Any:
        """A value that nobody has said is harmless, every text in it made up."""
        if isinstance(value, str):
            return self._names.text(value)
        if isinstance(value, list):
            return [self._anything(one) for one in value]
        if isinstance(value, dict):
            return {name: self._anything(one) for name, one in value.items()}
        return value

    def _shown(self, kind: str, prop: str, value: Any) -> Any:
        """What a property shows: one value, before and after, or what was withheld."""
        if isinstance(value, dict):
            said = self._fields(kind, {k: one for k, one in value.items() if k != "value"})
            return said | {"value": self._shown(kind, prop, value.get("value", ""))}
        if isinstance(value, list):
            return [self._shown(kind, prop, one) for one in value]
        if not isinstance(value, str) or not value or value in {"true", "false"}:
            return value
        for mapping in self._mappings:
            section = mapping.objects.get(kind)
            if section is None:
                continue
            if prop == section.key:
                return self.external(kind, value)
            rule = section.by_property.get(prop)
            if rule is not None:
                return self._fact(kind, rule, value)
        return self._names.text(value)

    def _fact(self, kind: str, rule: compiled.CompiledRule, value: str) -> str:
        entity = ENTITY_OF[kind]
        if not rule.derived:
            return value if rule.values else self._cell(entity, rule.source, value)
        match rule.source:
            case "key.external":
                return self.external(kind, value)
            case "key.customer" | "key.sold_to":
                return self.external("companies", value)
            case "key.invoice":
                return self.external("invoices", value)
            case "key.company":
                return self._part(value)
            case "key.record":
                entity = "AR_Customer" if kind == "contacts" else entity
                return keys.plain(self.record(entity, value))
            case "line.name" if value == _NO_NAME:
                return value
            case source if source.startswith(_PLAIN_FACTS) or source in _PLAIN_FACT:
                return value
            case _:
                return self._names.text(value)


def _is_what_it_should_be(cell: str) -> bool:
    """Whether it is an amount, a day, a time, a number, a code or a country: people type anything
    anywhere.
    """
    text = cell.strip()
    if values.number(text) is not None or text in _COUNTRIES:
        return True
    return bool(_DATE.fullmatch(text) or _SHORT.fullmatch(text))


def _entity(stream: str) -> str:
    return stream.split("/", 4)[3]
