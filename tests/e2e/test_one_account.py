"""Several instances, one agent and one account: what one of them was refused is asked by none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector.check import CheckLine
from connector.checking import check
from connector.sage100 import refusals
from connector.sandbox.agent import AgentOptions, CompanyOptions
from connector.sandbox.agent.options import LogonOptions
from projections import events
from tests.e2e.site import Site, open_site

OFFICE = AgentOptions(
    seed=81,
    customers=5,
    invoices=5,
    vendors=1,
    companies=tuple(CompanyOptions(code=code, name=code) for code in ("ABC", "XYZ", "DEF")),
    logon=LogonOptions(lock_after=3),
)
NAMES = ["acme", "second", "third"]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """An entry for each of three companies, the endpoint spelled otherwise in one of them."""
    async with open_site(tmp_path, OFFICE, companies=["ABC"]) as site:
        text = site.config_path.read_text("utf-8")
        first = text[text.index("[[sage100]]") : text.index("[hubspot]")]
        second = first.replace("acme", "second").replace("ABC", "XYZ").replace("http:", "HTTP:")
        third = first.replace("acme", "third").replace("ABC", "DEF")
        site.config_path.write_text(text + second + third, "utf-8")
        yield site


def wrong(site: Site) -> str:
    """Let all have the wrong password; the right one."""
    right = site.env["SAGE100_PASSWORD"]
    site.env["SAGE100_PASSWORD"] = "wr0ng"
    return right


async def run(site: Site) -> dict[str, str]:
    """Start, make one round of each, and end; what was said of each company."""
    async with site.app() as app:
        report = await app.run_once()
    return {one.company: str(one.error or "") for one in report.passes}


async def standing(site: Site) -> list[str]:
    """The instances that stand still."""
    async with site.app() as app:
        return sorted(await refusals.all_refused(app.store))


async def test_one_asks_for_all(site: Site) -> None:
    """However many share the account and however often it starts, it is tried once, and each says
    whose attempt that was.
    """
    wrong(site)
    for _ in range(3):
        said = await run(site)
    assert site.sage100.calls.wrong_logons == {"Basic": 1}
    assert not site.sage100.account.locked
    tried = [
        name
        for name in NAMES
        if f"That was said to {name}, with the same account" in "".join(said.values())
    ]
    assert len(tried) == 1
    for name, company in zip(NAMES, ("ABC", "XYZ", "DEF"), strict=True):
        assert "HTTP status 401" in said[company]
        assert f"'ml-connector release {name}'" in said[company]
    assert await standing(site) == NAMES


async def test_one_check_is_one_try(site: Site) -> None:
    """`check` tries the account with the first, and the lines of the others say that it did."""
    wrong(site)
    lines = await check(site.config())
    assert site.sage100.calls.wrong_logons == {"Basic": 1}

    def log_on(name: str) -> CheckLine:
        [line] = [one for one in lines if one.subject == f"Sage 100 {name} Windows log-on"]
        return line

    assert not any(log_on(name).ok for name in NAMES)
    assert "said to" not in log_on("acme").detail
    for name in NAMES[1:]:
        assert "That was said to acme, with the same account" in log_on(name).detail
        assert f"'ml-connector release {name}'" in log_on(name).remedy


async def test_a_release_of_one_releases_all(site: Site) -> None:
    """One more attempt for all of them, and the log says of each who released it."""
    wrong(site)
    await run(site)
    async with site.app() as app:
        kept = await refusals.find(app.store, "second")
        assert kept is not None
        asked = events.LogonReleased("second", kept.at, kept.code, "eve")
        assert await refusals.release(app.store, asked) == ["second", "acme", "third"]
        assert await refusals.release(app.store, asked) == []
        for name in NAMES:
            [event] = await app.store.history(refusals.logon_stream(name))
            released = events.decode(event.type, event.data)
            assert isinstance(released, events.LogonReleased)
            assert (released.instance, released.by) == (name, "eve")
    await run(site)
    await run(site)
    assert site.sage100.calls.wrong_logons == {"Basic": 2}
    assert await standing(site) == NAMES


async def test_who_comes_later_stands_too(site: Site) -> None:
    """An entry that is added, or has another name now, does not try what was refused already."""
    wrong(site)
    whole = site.config_path.read_text("utf-8")
    site.config_path.write_text(whole[: whole.index('[[sage100]]\nname = "second"')], "utf-8")
    await run(site)
    assert await standing(site) == ["acme"]
    site.config_path.write_text(whole.replace('"acme"', '"renamed"'), "utf-8")
    await run(site)
    assert site.sage100.calls.wrong_logons == {"Basic": 1}
    assert await standing(site) == ["acme", "renamed", "second", "third"]


async def test_other_credentials_are_tried(site: Site) -> None:
    """What is said otherwise at the same agent is another log-on, and a correction frees all."""
    right = wrong(site)
    text = site.config_path.read_text("utf-8")
    before, third = text.split('name = "third"')
    third = third.replace("SAGE100_PASSWORD", "THIRD_PASSWORD")
    site.config_path.write_text(f'{before}name = "third"{third}', "utf-8")
    site.env["THIRD_PASSWORD"] = right
    said = await run(site)
    assert said["DEF"] == ""
    assert await standing(site) == ["acme", "second"]
    assert site.sage100.calls.wrong_logons == {"Basic": 1}
    site.env["SAGE100_PASSWORD"] = right
    assert set((await run(site)).values()) == {""}
    assert await standing(site) == []
