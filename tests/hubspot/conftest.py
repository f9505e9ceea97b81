"""Fixtures of the HubSpot tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aioresponses import aioresponses

from tests.openapi import watched

from .rig import Site, a_site


@pytest.fixture(autouse=True)
def as_described() -> Iterator[None]:
    """Every exchange with a simulated HubSpot is as its API is described, where that is known."""
    with watched(requests="all") as problems:
        yield
    assert problems == []


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A store, a portal that is set up, and a client."""
    async with a_site(tmp_path) as made:
        yield made


class _Response(aiohttp.ClientResponse):
    """aiohttp 3.14 asks for the stream a request was written to; aioresponses knows of none."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("stream_writer", SimpleNamespace(output_size=0))
        super().__init__(*args, **options)


@pytest.fixture
def replies() -> Iterator[Callable[..., None]]:
    """Canned answers in place of sockets: `replies(method, url, status=…, payload=…)`."""
    with aioresponses() as canned:

        def add(method: str, url: str, **options: Any) -> None:
            canned.add(url, method, response_class=_Response, **options)

        yield add
