"""Why no connection came about is said in the system's words, without the library's."""

from __future__ import annotations

import socket

import aiohttp
import pytest

from connector.connecting import why_not


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_refused_connection_says_so(scheme: str) -> None:
    """Neither scheme's message speaks of TLS: none was spoken yet."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and nobody listens
        port = nobody.getsockname()[1]
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectorError) as problem:
                await session.get(f"{scheme}://127.0.0.1:{port}/")
    assert str(port) in why_not(problem.value)
    assert "ssl" not in why_not(problem.value)


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (TimeoutError("too late"), "too late"),
        (OSError(111, "Connection refused"), "Connection refused"),
        (OSError("no number"), "no number"),
        (ValueError(), ""),
    ],
)
def test_any_other_problem_speaks_for_itself(problem: Exception, told: str) -> None:
    """Whatever is raised in the course of connecting."""
    assert why_not(problem) == told
