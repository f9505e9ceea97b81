"""Both simulated ends on a loop of their own, so that commands can be run as an operator does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector.cli.demo_site import Site, simulated_site
from tests.cli.command import Ended, inside
from tests.cli.logs import Run, erase, live
from tests.openapi import watched


@pytest.fixture(autouse=True)
def as_described() -> Iterator[None]:
    """Every exchange with a simulated HubSpot is as its API is described, where that is known."""
    with watched(requests="all") as problems:
        yield
    assert problems == []


class Bench(msgspec.Struct, frozen=True):
    """A running site, and the way to run a command against it."""

    site: Site
    loop: asyncio.AbstractEventLoop
    command: Callable[..., Ended]

    def at_the_site(self, work: Callable[[], Any]) -> Any:
        """Do something to the simulators where they run."""
        done: Future[Any] = Future()

        def there() -> None:
            try:
                done.set_result(work())
            except BaseException as problem:  # noqa: BLE001 - handed over to the test
                done.set_exception(problem)

        self.loop.call_soon_threadsafe(there)
        return done.result(30)


@pytest.fixture
def loop_of_its_own() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs on a thread until the test is over."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="site")
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(30)
    loop.close()


@pytest.fixture
def bench(
    loop_of_its_own: asyncio.AbstractEventLoop,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Bench]:
    """A small company and an empty portal; the configuration's secrets are in the environment."""
    stack = AsyncExitStack()

    def there(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop_of_its_own).result(60)

    site = there(stack.enter_async_context(simulated_site(customers=8, invoices=20, seed=3)))
    for name, value in site.env.items():
        monkeypatch.setenv(name, value)
    for name in ("ML_CONNECTOR_CONFIG", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)

    def command(*arguments: object) -> Ended:
        return inside(capsys, "--config", site.config_path, *arguments)

    yield Bench(site, loop_of_its_own, command)
    there(stack.aclose())


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in this process."""

    def command(*arguments: object) -> Ended:
        return inside(capsys, *arguments)

    return command


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with a past, in which two people were erased."""
    path = tmp_path / "events.db"
    live(path)
    erase(path, "person/3", "person/4")
    live(path, 330, seed=2)
    return path
