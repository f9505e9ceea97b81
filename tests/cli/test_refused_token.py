"""HubSpot refuses the token or a scope: every command that tells of the state tells of that."""

from __future__ import annotations

import asyncio
import signal

import msgspec
import pytest

from connector.cli.demo_site import Site, a_day_at_the_office, simulated_site
from tests.cli.conftest import Bench
from tests.cli.test_process import begin, ended, seen


def accept(site: Site, token: str) -> None:
    """HubSpot accepts this token from now on."""
    site.portal.options = msgspec.structs.replace(site.portal.options, token=token)


def test_a_pass_over_sage_100_is_shown_although_the_token_is_refused(bench: Bench) -> None:
    """`run --once` reads, prints its pass and the books, says the refusal once, ends with 3."""
    assert bench.command("run", "--once").code == 0
    good = bench.site.portal.options.token
    bench.at_the_site(lambda: a_day_at_the_office(bench.site))
    bench.at_the_site(lambda: accept(bench.site, "pat-na1-another"))
    ended = bench.command("run", "--once")
    assert ended.code == 3, ended.out
    assert "This pass" in ended.out
    assert "The books close" in ended.out
    assert "up to date" not in ended.out
    assert (ended.out + ended.err).count("does not accept the token") == 1
    assert ended.err.count("remedy: Issue a new token") == 1
    assert "kept in the log; the error below says why" in ended.out
    status = bench.command("status")
    assert status.code == 1
    assert "WRITING HAS STOPPED since " in status.out
    assert "Issue a new token" in status.out
    assert "less than a minute" not in status.out
    error = bench.command("status", "--json").json()["hubspot_error"]
    assert (error["category"], error["since"][-1]) == ("unauthorised", "Z")
    again = bench.command("run", "--once", "--json")
    assert (again.code, "does not accept" in again.json()["error"]["what"]) == (3, True)
    bench.at_the_site(lambda: accept(bench.site, good))
    assert bench.command("run", "--once").code == 0
    status = bench.command("status", "--json")
    assert (status.code, status.json()["hubspot_error"]) == (0, None)


def test_a_token_is_accepted_again_although_nothing_is_to_be_written(bench: Bench) -> None:
    """The refusal of a first start is in the books; a run with nothing to do takes it out."""
    good = bench.site.portal.options.token
    bench.at_the_site(lambda: accept(bench.site, "pat-na1-another"))
    assert bench.command("run", "--once").code == 3
    assert bench.command("status").code == 1
    bench.at_the_site(lambda: accept(bench.site, good))
    assert bench.command("run", "--once").code == 0
    assert bench.command("status").code == 0


def test_an_object_without_its_scope_is_an_error_of_the_status(bench: Bench) -> None:
    """403 on invoices: `status` names the object, since when, the scope, and ends with 1."""
    assert bench.command("setup").code == 0
    names = [
        f"crm.{kind}.{name}.{what}"
        for kind in ("objects", "schemas")
        for name in ("companies", "contacts")
        for what in ("read", "write")
    ]
    options = bench.site.portal.options
    fewer = msgspec.structs.replace(options, scopes=tuple(names))
    bench.at_the_site(lambda: setattr(bench.site.portal, "options", fewer))
    assert bench.command("run", "--once").code == 3
    status = bench.command("status")
    assert status.code == 1
    assert "HubSpot takes no invoices since " in status.out
    rows = {row["object"]: row for row in bench.command("status", "--json").json()["hubspot"]}
    assert rows["invoices"]["error"]["category"] == "missing_scope"
    assert rows["companies"]["error"] is None
    bench.at_the_site(lambda: setattr(bench.site.portal, "options", options))
    assert bench.command("run", "--once").code == 0
    assert bench.command("status").code == 0


@pytest.mark.parametrize("refused_at", ["start", "work"])
async def test_a_service_that_wrote_nothing_any_more_ends_with_3(refused_at: str) -> None:
    """A refused token, met at the start or later, does not end the service; its end says so."""
    async with simulated_site(customers=5, invoices=5, seed=1) as site:
        first = await begin(site, "run", "--once")
        assert (await ended(first))[0] == 0
        if refused_at == "start":
            accept(site, "pat-na1-another")
        service = await begin(site, "run")
        await seen(service, "running")
        if refused_at == "work":
            accept(site, "pat-na1-another")
            a_day_at_the_office(site)
        async with asyncio.timeout(60):
            await seen(service, "HubSpot does not accept the token")
        service.send_signal(signal.SIGTERM)
        code, _, err = await ended(service)
        assert code == 3, err
