"""HubSpot's HTTP interface as typed calls: one place for paths, version, header and time limits.

A call returns the `Answer` HubSpot gave, whatever its status, or raises `NoAnswer`: `NeverSent`
when the request surely did not get there, `OutcomeUnknown` when it may have been carried out. A
POST is never repeated here; who calls knows whether that is safe. Every call passes the limiter.

Connect within 10 s; HubSpot gives up after 100 s of work (then 524), so 100 s is also ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote
from zoneinfo import ZoneInfo

import aiohttp
import msgspec

from connector.connecting import why_not
from connector.hubspot import pace
from connector.hubspot.address import checked, sendable
from connector.hubspot.answer import Answer, clean, limit_named, text_of, worked_s
from connector.hubspot.calls import CallCounter
from connector.hubspot.errors import NeverSent, OutcomeUnknown
from connector.hubspot.limiter import Limiter
from connector.hubspot.receiving import receive
from connector.hubspot.window import Gate
from connector.secret import Secret
from connector.tracing import tracer

API_VERSION: Final = "2026-03"
BASE_URL: Final = "https://api.hubapi.com"
BATCH_LIMIT: Final = 100  # inputs of an object batch
HISTORY_LIMIT: Final = 50  # of one that asks for earlier values
LINK_LIMIT: Final = 2_000  # pairs of an association batch
LINK_READ_LIMIT: Final = 1_000  # records whose associations one call reads
SEARCH_LIMIT: Final = 100  # values of one search
SEARCH_PAGE: Final = 200
SEARCH_BODY_LIMIT: Final = 3_000  # characters
BODY_LIMIT_BYTES: Final = 1_000_000  # of our own requests

_CONNECT_S: Final = 10.0
_READ_S: Final = 95.0
_TOTAL_S: Final = 100.0
_CONNECTIONS: Final = pace.MOST + 8  # a batch mostly makes one call at a time; some for what looks
_TOO_MUCH: Final = frozenset({423, 429})
_DISPLAY_HINTS: Final = ("numberDisplayHint", "showCurrencySymbol")
_NEVER_SENT: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class WriteInput(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One record of a batch write; `id` is its value of `id_property`, HubSpot's own without."""

    id: str
    properties: dict[str, str]
    object_write_trace_id: str
    id_property: str = ""


class HubSpot:
    """One portal, over one pool of connections. `calls` counts, `limiter` holds back."""

    def __init__(
        self,
        token: Secret,
        limiter: Limiter,
        *,
        base_url: str = BASE_URL,
        api_version: str = API_VERSION,
        connect_s: float = _CONNECT_S,
        read_s: float = _READ_S,
        total_s: float = _TOTAL_S,
    ) -> None:
        """Raise Misconfigured for an address that would send the token in the clear, and for a
        token that no request can carry.
        """
        self.limiter = limiter
        self.calls = CallCounter(limiter.day)
        self.base_url = checked(base_url)
        self.api_version = api_version
        self._token = sendable(token)
        self._timeout = aiohttp.ClientTimeout(
            total=total_s, connect=None, sock_connect=connect_s, sock_read=read_s
        )
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=30.0),
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    # ------------------------------------------------------------ objects

    async def batch_read(
        self,
        object_type: str,
        id_property: str,
        ids: Sequence[str],
        properties: Sequence[str],
        history: Sequence[str] = (),
    ) -> Answer:
        """Records by a unique property ("" for HubSpot's own ids), at most 100.

        `history`: properties whose earlier values are wanted too; then at most 50 records.
        """
        body: dict[str, Any] = {
            "properties": list(properties),
            "propertiesWithHistory": list(history),
            "inputs": [{"id": key} for key in ids],
        }
        if id_property:
            body["idProperty"] = id_property
        return await self._objects(object_type, "read", body, write=False)

    async def batch_upsert(self, object_type: str, inputs: Sequence[WriteInput]) -> Answer:
        """Create or update by unique property, at most 100."""
        return await self._objects(object_type, "upsert", {"inputs": inputs})

    async def batch_update(self, object_type: str, inputs: Sequence[WriteInput]) -> Answer:
        """Update what is there, by unique property or id, at most 100."""
        return await self._objects(object_type, "update", {"inputs": inputs})

    async def read_record(
        self, object_type: str, record_id: str, properties: Sequence[str]
    ) -> Answer:
        """One record by HubSpot's id, also by one that was merged into another; 404 when gone."""
        path = _path("crm", "objects", self.api_version, object_type, record_id)
        return await self._call("GET", f"{path}?properties={','.join(properties)}")

    async def search(
        self,
        object_type: str,
        property_name: str,
        values: Sequence[str],
        properties: Sequence[str],
        after: str = "",
    ) -> Answer:
        """A page of up to 200 records whose property is one of these (lower-case) values.

        Of 100 values and 3,000 characters at most; lags behind what was written by seconds.
        """
        body: dict[str, Any] = {
            "filterGroups": [
                {
                    "filters": [
                        {"propertyName": property_name, "operator": "IN", "values": list(values)}
                    ]
                }
            ],
            "properties": list(properties),
            "limit": SEARCH_PAGE,
        }
        if after:
            body["after"] = after
        path = _path("crm", "objects", self.api_version, object_type, "search")
        return await self._call("POST", path, body, gate="search")

    async def _objects(self, object_type: str, what: str, body: Any, write: bool = True) -> Answer:
        path = _path("crm", "objects", self.api_version, object_type, "batch", what)
        return await self._call("POST", path, body, write=write)

    # ------------------------------------------------------------ associations

    async def associate_default(
        self, from_type: str, to_type: str, pairs: Sequence[tuple[str, str]]
    ) -> Answer:
        """Associate each (from id, to id) with the portal's default type, at most 2,000."""
        inputs = [{"from": {"id": left}, "to": {"id": right}} for left, right in pairs]
        return await self._associations(
            from_type, to_type, "batch/associate/default", {"inputs": inputs}, write=True
        )

    async def archive_associations(
        self, from_type: str, to_type: str, pairs: Sequence[tuple[str, str]]
    ) -> Answer:
        """Take away every association between each (from id, to id), at most 1,000 pairs."""
        inputs = [{"from": {"id": left}, "to": [{"id": right}]} for left, right in pairs]
        return await self._associations(
            from_type, to_type, "batch/archive", {"inputs": inputs}, write=True
        )

    async def read_associations(
        self, from_type: str, to_type: str, ids: Sequence[tuple[str, str]]
    ) -> Answer:
        """What each record is associated with: (id, paging cursor or ""), at most 1,000."""
        inputs = [{"id": key, "after": after} if after else {"id": key} for key, after in ids]
        return await self._associations(
            from_type, to_type, "batch/read", {"inputs": inputs}, write=False
        )

    async def read_links(
        self, from_type: str, record_id: str, to_type: str, after: str = ""
    ) -> Answer:
        """What one record is associated with, a page of up to 500; none is an answer as well."""
        path = _path(
            *("crm", "objects", self.api_version, from_type, record_id, "associations", to_type)
        )
        paged = f"&after={quote(after, safe='')}" if after else ""
        return await self._call("GET", f"{path}?limit=500{paged}")

    async def _associations(
        self, from_type: str, to_type: str, what: str, body: Any, *, write: bool
    ) -> Answer:
        path = _path("crm", "associations", self.api_version, from_type, to_type) + "/" + what
        return await self._call("POST", path, body, write=write, gate="associations")

    # ------------------------------------------------------------ properties and account

    async def read_properties(self, object_type: str) -> Answer:
        """All property definitions of an object."""
        return await self._call("GET", _path("crm", "properties", self.api_version, object_type))

    async def create_properties(
        self, object_type: str, definitions: Sequence[Mapping[str, Any]]
    ) -> Answer:
        """Create properties, at most 100; one that exists is an item error of a 207."""
        path = _path("crm", "properties", self.api_version, object_type, "batch", "create")
        # From 2026-09 on how a number is displayed is no part of its definition any more.
        unknown = () if self.api_version == "2026-03" else _DISPLAY_HINTS
        inputs = [
            {name: value for name, value in one.items() if name not in unknown}
            for one in definitions
        ]
        return await self._call("POST", path, {"inputs": inputs}, write=True)

    async def create_group(self, object_type: str, name: str, label: str) -> Answer:
        """Create a property group; 409 when it exists."""
        path = _path("crm", "properties", self.api_version, object_type, "groups")
        body = {"name": name, "label": label, "displayOrder": -1}
        return await self._call("POST", path, body, write=True)

    async def create_object_type(self, schema: Mapping[str, Any]) -> Answer:
        """Create a custom object type by its schema; 409 when it exists."""
        path = _path("crm-object-schemas", self.api_version, "schemas")
        return await self._call("POST", path, schema, write=True)

    async def account_details(self) -> Answer:
        """The portal: id, time zone, currencies. Also teaches the limiter the portal's midnight."""
        answer = await self._call("GET", _path("account-info", self.api_version, "details"))
        zone = text_of(answer.body.get("timeZone")) if isinstance(answer.body, dict) else ""
        if answer.ok and zone:
            try:
                self.limiter.portal_zone = ZoneInfo(zone)
            except (ValueError, OSError):
                pass  # a zone this machine does not know: the limiter then asks again hourly
        return answer

    # ------------------------------------------------------------ one call

    async def _call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        write: bool = False,
        gate: Gate = "general",
    ) -> Answer:
        if self._session is None:
            raise RuntimeError("HubSpot is used outside its 'async with'")
        headers = {
            "Authorization": f"Bearer {self._token.reveal()}",
            "Accept": "application/json",
        }
        data = None
        if body is not None:
            data = msgspec.json.encode(body)
            headers["Content-Type"] = "application/json"
        url = self.base_url + path
        async with self.limiter.slot(gate) as place:
            self.calls.count(write=write)
            attributes = {"http.request.method": method, "url.path": path}
            with tracer.start_as_current_span(f"hubspot {method}", attributes=attributes) as span:
                answer, answer_headers = await self._exchange(method, url, headers, data)
                span.set_attribute("http.response.status_code", answer.status)
                span.set_attribute("hubspot.correlation_id", answer.correlation_id)
            # While the slot is held, so that nobody else is let through on what is outdated now.
            place.worked_s = worked_s(answer.body)
            self.limiter.learn(gate, answer_headers, place)
            if answer.status in _TOO_MUCH or answer.status >= 500:
                pace.met_trouble()
            if answer.status == 429:
                self.calls.refused_429 += 1
                self.limiter.refused(gate, limit_named(answer), answer.retry_after_s)
        return answer

    async def _exchange(
        self, method: str, url: str, headers: dict[str, str], data: bytes | None
    ) -> tuple[Answer, dict[str, str]]:
        assert self._session is not None  # noqa: S101 - checked by the one caller
        try:
            async with self._session.request(
                method, url, data=data, headers=headers, allow_redirects=False
            ) as response:
                lowered = {name.lower(): value for name, value in response.headers.items()}
                return await receive(response, lowered), lowered
        except _NEVER_SENT as problem:
            pace.met_trouble()
            raise NeverSent(f"cannot connect: {clean(why_not(problem))}", where=url) from problem
        except TimeoutError as problem:
            pace.met_trouble()
            raise OutcomeUnknown("no answer in time", where=url) from problem
        except (aiohttp.ClientError, OSError) as problem:
            pace.met_trouble()
            what = f"the connection broke: {type(problem).__name__} {clean(str(problem))}".strip()
            raise OutcomeUnknown(what, where=url) from problem


def _path(*segments: str) -> str:
    return "/" + "/".join(quote(segment, safe="") for segment in segments)
