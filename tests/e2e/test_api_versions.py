"""Both dated versions of HubSpot's API carry a whole sync."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e import holding, office
from tests.e2e.site import SMALL, open_site


@pytest.mark.parametrize("version", ["2026-03", "2026-09"])
async def test_either_version_brings_everything(tmp_path: Path, version: str) -> None:
    """First load, changes, and a pass without any: the same end by either version's paths."""
    async with open_site(tmp_path, SMALL) as site:
        text = site.config_path.read_text("utf-8")
        told = text.replace("[hubspot]\n", f'[hubspot]\napi_version = "{version}"\n', 1)
        site.config_path.write_text(told, "utf-8")
        async with site.app() as app:
            assert (await app.run_once()).complete
            assert holding.differences(site.portal, site.expectation()) == []
            before, left = holding.held(site.portal), site.expectation()
            office.change_masters(site.company)
            assert (await app.run_once(sweep=True)).complete
            now = site.expectation()
            assert holding.differences(site.portal, now, before=before, left=left) == []
            written = site.portal.calls.writes
            assert (await app.run_once()).complete
            assert site.portal.calls.writes == written
        assert {call.version for call in site.portal.calls} == {version}
