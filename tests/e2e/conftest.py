"""What holds for every test of both ends together."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.openapi import watched


@pytest.fixture(autouse=True)
def as_described() -> Iterator[None]:
    """Every exchange with a simulated HubSpot is as its API is described, where that is known."""
    with watched(requests="all") as problems:
        yield
    assert problems == []
