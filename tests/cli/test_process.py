"""The program as a process: its exit codes, its signals, and one writer per store."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from connector.cli.demo_site import Site, simulated_site
from connector.opening import open_reader
from connector.sandbox.agent import Hold as HoldPage
from connector.sandbox.hubspot import Hold
from tests.cli.command import environment, shell
from tests.config.sample import TEXT

LIMIT_S = 60


async def begin(
    site: Site, *arguments: str, extra: dict[str, str] | None = None
) -> asyncio.subprocess.Process:
    """Start a command on a site as a process of its own."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "connector",
        *arguments,
        env=environment(site.env | {"ML_CONNECTOR_CONFIG": str(site.config_path)} | (extra or {})),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def seen(process: asyncio.subprocess.Process, text: str) -> str:
    """Wait for a line of standard error that holds the text."""
    assert process.stderr is not None
    read = ""
    async with asyncio.timeout(LIMIT_S):
        while line := (await process.stderr.readline()).decode():
            read += line
            if text in line:
                return line
    raise AssertionError(f"{text!r} was never said, but:\n{read}")


async def reached(process: asyncio.subprocess.Process, event: asyncio.Event) -> None:
    """Wait for a held call; the test fails at once when the process ends before it."""
    tasks = [asyncio.create_task(event.wait()), asyncio.create_task(process.wait())]
    try:
        async with asyncio.timeout(LIMIT_S):
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    if not event.is_set():
        raise AssertionError(f"it ended before: {await ended(process)}")


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str, str]:
    """Exit code and what is left of both outputs."""
    async with asyncio.timeout(LIMIT_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
async def test_the_service_stops_when_told(name: str) -> None:
    """SIGTERM and Ctrl-C end the service well; meanwhile nobody else may write to its store."""
    async with simulated_site(customers=5, invoices=5, seed=1) as site:
        service = await begin(site, "run")
        await seen(service, "running")
        second = await begin(site, "run", "--once", "--json")
        code, out, err = await ended(second)
        assert code == 2, err
        assert f"in use by process {service.pid}" in err
        assert '"error"' in out
        reader = await begin(site, "verify")
        assert (await ended(reader))[0] == 0
        service.send_signal(getattr(signal, name))
        code, out, err = await ended(service)
        assert (code, out) == (0, ""), err
        assert "stopped" in err
        assert "Traceback" not in err


async def test_the_service_finishes_what_is_under_way() -> None:
    """Told to stop in the middle of a write, the service waits for HubSpot's answer first."""
    async with simulated_site(customers=5, invoices=5, seed=1) as site:
        held = site.portal.inject(Hold(), route="associations")
        service = await begin(site, "run")
        await reached(service, held.reached)
        assert site.hubspot_records()["companies"] == 6
        service.send_signal(signal.SIGTERM)
        await seen(service, "stopping")
        held.release()
        code, _, err = await ended(service)
        assert code == 0, err
        async with open_reader(site.config()) as store:
            assert await store.count("inflight") == 0
            succeeded = await store.read(0, types=["CommandSucceeded"])
        assert any(event.stream.startswith("hubspot/associations/") for event in succeeded)


def test_exit_codes_of_a_shell(tmp_path: Path) -> None:
    """No file, a bad file, no secret, no certificate: each ends with 2, no traceback."""
    path = tmp_path / "ml-connector.toml"
    missing = shell(tmp_path, "status")
    assert (missing.code, missing.out) == (2, "")
    path.write_text(TEXT.replace("timezone ", "timezon "))
    wrong = shell(tmp_path, "run", "--once")
    assert wrong.code == 2
    assert "line 8, sage100[0].timezon:" in wrong.err
    assert 'did you mean "timezone"?' in wrong.err
    path.write_text(TEXT)
    no_secret = shell(tmp_path, "check", env={})
    assert no_secret.code == 2
    assert "HUBSPOT_TOKEN is not set" in no_secret.err
    shown = 'client_certificate = "ml-connector.toml"\nclient_key = {'
    path.write_text(re.sub(r"api_key\s*= {", shown, TEXT))
    certificate = shell(tmp_path, "run", "--once")
    assert certificate.code == 2
    assert "[sage100.auth] client_certificate, client_key" in certificate.err
    for each in (missing, wrong, no_secret, certificate):
        assert "Traceback" not in each.err
        assert "remedy:" in each.err


def test_a_store_that_is_none(tmp_path: Path) -> None:
    """A store file of another program, a missing folder and PostgreSQL each end with 2."""
    path = tmp_path / "ml-connector.toml"
    path.write_text(TEXT)
    other = sqlite3.connect(tmp_path / "events.db")
    other.execute("CREATE TABLE guests (name TEXT)")
    other.commit()
    other.close()
    before = (tmp_path / "events.db").read_bytes()
    foreign = shell(tmp_path, "run", "--once")
    assert foreign.code == 2
    assert "another program" in foreign.err
    assert (tmp_path / "events.db").read_bytes() == before
    path.write_text(TEXT.replace("sqlite:///events.db", "sqlite:///none/events.db"))
    folder = shell(tmp_path, "run", "--once")
    assert folder.code == 2
    assert f"mkdir -p {tmp_path / 'none'}" in folder.err
    path.write_text(TEXT.replace("sqlite:///events.db", "postgresql://host/name"))
    postgres = shell(tmp_path, "status")
    assert postgres.code == 2
    assert "only the SQLite backend" in postgres.err


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
async def test_an_interrupted_run_ends_with_130(name: str) -> None:
    """Ctrl-C in the middle of run --once ends it with 130, without a traceback."""
    async with simulated_site(customers=5, invoices=5, seed=1) as site:
        held = site.sage100.inject(HoldPage(entity="AR_Invoice"))
        process = await begin(site, "run", "--once")
        await reached(process, held.reached)
        process.send_signal(getattr(signal, name))
        code, _, err = await ended(process)
        assert code == 130, err
        assert "Traceback" not in err
        assert "nothing is done twice" in err


async def test_the_sandbox_answers_until_stopped(tmp_path: Path) -> None:
    """Both simulated ends can be started alone, say how to reach them, and stop when told."""
    for name, wanted in (("agent", "endpoint"), ("hubspot", "base_url")):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "connector",
            "sandbox",
            name,
            cwd=tmp_path,
            env=environment(os.environ),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        async with asyncio.timeout(LIMIT_S):
            while wanted not in (line := (await process.stdout.readline()).decode()):
                assert line, "it ended early"
        assert "http://127.0.0.1:" in line
        process.send_signal(signal.SIGTERM)
        code, _, err = await ended(process)
        assert (code, err) == (0, "")
