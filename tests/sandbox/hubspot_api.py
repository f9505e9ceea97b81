"""A plain HTTP caller of the simulated HubSpot, so that its tests share no code with the client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from multidict import CIMultiDictProxy

from connector.sandbox.hubspot import HubSpotOptions, SimulatedHubSpot

KEY = "sage100_customer_key"
VERSIONS = ("2026-03", "2026-09")


class Answered(msgspec.Struct, frozen=True):
    """Status, headers and decoded body of one answer."""

    status: int
    headers: CIMultiDictProxy[str]
    text: str

    @property
    def body(self) -> Any:
        """The decoded JSON body."""
        return msgspec.json.decode(self.text)

    @property
    def results(self) -> list[Any]:
        """The batch's results."""
        found = self.body["results"]
        assert isinstance(found, list)
        return found

    @property
    def errors(self) -> list[Any]:
        """The batch's errors; none when the member is absent."""
        found = self.body.get("errors", [])
        assert isinstance(found, list)
        return found


class Api:
    """Calls one simulated portal."""

    def __init__(
        self, portal: SimulatedHubSpot, session: aiohttp.ClientSession, version: str
    ) -> None:
        self.portal = portal
        self.session = session
        self.version = version

    async def call(self, method: str, path: str, body: Any = None, **query: str) -> Answered:
        """One request; `V` in the path stands for the version."""
        url = path.replace("/V", f"/{self.version}", 1)
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"} if data is not None else {}
        async with self.session.request(
            method, url, data=data, params=query, headers=headers
        ) as response:
            text = await response.text()
        return Answered(response.status, response.headers, text)

    async def batch(self, verb: str, inputs: Sequence[Any], kind: str = "companies") -> Answered:
        """One object batch."""
        return await self.call(
            "POST", f"/crm/objects/V/{kind}/batch/{verb}", {"inputs": list(inputs)}
        )

    async def upsert(
        self, records: dict[str, dict[str, Any]], *, traced: bool = True, kind: str = "companies"
    ) -> Answered:
        """Upsert records by their key, with trace ids `t0`, `t1` … unless told otherwise."""
        inputs = []
        for position, (key, properties) in enumerate(records.items()):
            one: dict[str, Any] = {
                "id": key,
                "idProperty": KEY,
                "properties": {KEY: key, **properties},
            }
            if traced:
                one["objectWriteTraceId"] = f"t{position}"
            inputs.append(one)
        return await self.batch("upsert", inputs, kind)

    async def define(self, kind: str, name: str = KEY, **more: Any) -> Answered:
        """Create a text property, unique unless told otherwise."""
        group = {"companies": "company", "contacts": "contact", "deals": "deal"}.get(
            kind, "invoice"
        )
        wanted = {
            "name": name,
            "label": name,
            "type": "string",
            "fieldType": "text",
            "groupName": f"{group}information",
            "hasUniqueValue": True,
        }
        return await self.call("POST", f"/crm/properties/V/{kind}", wanted | more)


@asynccontextmanager
async def serving(
    version: str = "2026-09", options: HubSpotOptions | None = None, **parameters: Any
) -> AsyncIterator[Api]:
    """A portal with unique key properties on companies, contacts and invoices, and its caller."""
    settings = options or HubSpotOptions(limits=None, keep_bodies=True)
    async with (
        SimulatedHubSpot(settings, **parameters) as portal,
        aiohttp.ClientSession(
            portal.base_url, headers={"Authorization": f"Bearer {portal.token}"}
        ) as session,
    ):
        api = Api(portal, session, version)
        if settings.scopes is None:
            for kind in ("companies", "contacts", "invoices"):
                assert (await api.define(kind)).status == 201
            portal.calls.clear()
        yield api


async def order(portal: SimulatedHubSpot, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """One order to /control, as another process gives it; its answer."""
    headers = {"Authorization": f"Bearer {portal.control_token}"}
    async with (
        aiohttp.ClientSession(portal.base_url, headers=headers) as session,
        session.post(f"/control/{name}", json=body) as response,
    ):
        answer: dict[str, Any] = await response.json()
        assert response.status == 200, answer
        return answer
