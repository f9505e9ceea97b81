"""A clock for simulators that stands until a test moves it."""

from __future__ import annotations


class Clock:
    """Seconds; calling it tells the time."""

    def __init__(self, time: float = 1_000.0) -> None:
        self.time = time

    def __call__(self) -> float:
        return self.time
