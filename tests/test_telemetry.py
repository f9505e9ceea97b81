"""Traces to a collector, and log lines that give no secret away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from connector.config import TelemetrySettings
from connector.secret import HIDDEN, Secret
from connector.telemetry import exporting_to, secrets_of, setup_logging, setup_telemetry
from tests.config.sample import ENV, load


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[list[str]]:
    """What the log writes under the sample configuration."""
    written: list[str] = []
    root = logging.getLogger()
    level = root.level
    handler = setup_logging(load(tmp_path), written.append)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


def test_every_secret_is_found(tmp_path: Path) -> None:
    """All secrets of a configuration are known to the log, however deep they stand."""
    found = {secret.reveal() for secret in secrets_of(load(tmp_path))}
    assert found == set(ENV.values())


def test_a_secret_is_blotted_out(lines: list[str]) -> None:
    """A secret in a message, an argument or a traceback never reaches the log."""
    log = logging.getLogger("connector.test")
    log.info("token is %s", ENV["HUBSPOT_TOKEN"])
    problem = ValueError(f"refused: {ENV['SAGE100_PASSWORD']}")
    log.error("could not log on", exc_info=problem)
    text = "\n".join(lines)
    assert "token is " + HIDDEN in text
    assert "could not log on" in text
    assert not [value for value in ENV.values() if value in text]


def test_a_secret_inside_a_url_is_blotted_out(tmp_path: Path) -> None:
    """The percent-encoded form of a secret is a secret too."""
    written: list[str] = []
    config = load(tmp_path, env=ENV | {"HUBSPOT_TOKEN": "p/s w+rd"})
    handler = setup_logging(config, written.append)
    try:
        logging.getLogger("connector.test").warning("GET /x?t=%s", "p%2Fs%20w%2Brd")
    finally:
        logging.getLogger().removeHandler(handler)
    assert written[0].endswith("GET /x?t=" + HIDDEN)


def test_without_a_collector_nothing_starts() -> None:
    """No endpoint, no exporter: stopping is a formality."""
    stop = setup_telemetry(TelemetrySettings())
    assert stop() is None


async def test_spans_arrive_at_the_collector() -> None:
    """Spans are sent to the collector's OTLP address in the background, and flushed at the end."""
    bodies: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        await bodies.put(await request.read())
        return web.Response(content_type="application/x-protobuf")

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        provider = exporting_to(f"http://{host}:{port}")
        with provider.get_tracer("test").start_as_current_span("a-pass"):
            pass
        await asyncio.to_thread(provider.shutdown)
        body = await asyncio.wait_for(bodies.get(), 10)
    finally:
        await runner.cleanup()
    assert b"a-pass" in body
    assert b"ml-connector" in body


def test_secrets_hide_in_lists_of_agents() -> None:
    """A secret inside a tuple is found as well."""
    assert [one.reveal() for one in secrets_of((Secret("a"), (Secret("b"),)))] == ["a", "b"]
