"""What holds for every test of the simulators."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.openapi import watched


@pytest.fixture
def wrong_requests() -> None:
    """Asked for by tests that send what is not described, and see it taken all the same."""


@pytest.fixture(autouse=True)
def as_described(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every exchange with a simulated HubSpot is as its API is described, where that is known."""
    wrong = "wrong_requests" in request.fixturenames
    with watched(requests="none" if wrong else "done") as problems:
        yield
    assert problems == []
