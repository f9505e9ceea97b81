"""Fixtures of the HubSpot tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .rig import Site, a_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A store, a portal that is set up, and a client."""
    async with a_site(tmp_path) as made:
        yield made
