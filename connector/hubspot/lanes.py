"""Which lanes may be written now, and why the others may not.

A scope that the token lacks holds one kind of object, or one pair of kinds that are associated (see
`scopes`). A day's calls that are spent shut the lanes that need them and no others: associations
and searches have gates of their own, and the last of the account's calls are not for a backfill.
Everything else goes on, and what is shut goes on by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from connector.errors import ConnectorError
from connector.hubspot.errors import DailyLimitReached, HubSpotUnreachable, until_reset
from connector.hubspot.limiter import Limiter
from connector.hubspot.scopes import Holds, Standing
from connector.hubspot.window import Gate
from projections.tables import LANES

BACKFILL: Final = frozenset({"companies", "vendors", "contacts"})  # what invoices go before


class Lanes:
    """How the lanes of one writer stand."""

    def __init__(self, limiter: Limiter, now_us: Callable[[], int]) -> None:
        self._limiter = limiter
        self._holds = Holds(now_us)
        self._barred: dict[str, str] = {}  # kind to why
        self._short: dict[str, Gate] = {}  # lane to the gate of which a batch found nothing left

    def begin(self, *, again: bool) -> None:
        """A new run. `again`: what the token may not write may be tried at once."""
        self._barred.clear()
        if again:
            self._holds.try_again()

    # ------------------------------------------------------------ what batches found

    def bar(self, lane: str, why: str) -> None:
        """The portal has no such objects."""
        self._barred[lane] = why

    def refuse(self, kind: str, why: str) -> None:
        """The token may not write this kind."""
        self._barred[kind] = why
        self._holds.refused(kind)

    def grant(self, kinds: Iterable[str]) -> None:
        """Writes of these kinds were answered."""
        for kind in kinds:
            if self._holds.on_trial(kind):
                self._holds.granted(kind)
                self._barred.pop(kind, None)

    def spare(self, lane: str, gate: Gate) -> None:
        """A batch needed a gate whose calls of today are spent, or not for it."""
        self._short[lane] = gate

    # ------------------------------------------------------------ what follows

    def left_alone(self) -> set[str]:
        """Lanes that get no batch now."""
        return {lane for lane in LANES if self._shut_s(lane) > 0} | self._holds.held()

    def standing(self) -> Standing:
        """Kinds that are held, and on trial."""
        return self._holds.standing()

    def on_trial(self, lane: str) -> bool:
        """Whether one command is to find out if a lane is still refused."""
        return self._holds.on_trial(lane)

    def wait_s(self) -> float:
        """Seconds until a held kind may be tried again."""
        return self._holds.wait_s()

    def spent(self) -> ConnectorError | None:
        """Why nothing at all can be written today, if that is so."""
        shut_s = self._limiter.spent_s("general", backfill=False)
        if shut_s == 0:
            return None
        return HubSpotUnreachable(DailyLimitReached(shut_s).what, remedy=until_reset(shut_s))

    def reasons(self, pending: Mapping[str, int]) -> tuple[dict[str, str], dict[str, str]]:
        """Lane to why nothing, or not all, is written of what is pending there; and to the remedy.

        There is a remedy where a day's calls are all that is in the way.
        """
        out: dict[str, list[str]] = {}
        remedies: dict[str, str] = {}
        for kind, why in self._barred.items():
            lane = kind if kind in pending else "associations"
            out.setdefault(lane, []).append(why if lane == kind else f"{kind}: {why}")
        for lane, count in pending.items():
            shut_s = self._shut_s(lane)
            if count and shut_s > 0:
                if lane not in out:
                    remedies[lane] = until_reset(shut_s)
                out.setdefault(lane, []).append(self._why_shut(lane, shut_s))
        return {lane: "; ".join(dict.fromkeys(every)) for lane, every in out.items()}, remedies

    def _gates(self, lane: str) -> tuple[Gate, ...]:
        own: Gate = "associations" if lane == "associations" else "general"
        return (own, self._short[lane]) if lane in self._short else (own,)

    def _shut_s(self, lane: str) -> float:
        backfill = lane in BACKFILL
        return max(self._limiter.spent_s(gate, backfill=backfill) for gate in self._gates(lane))

    def _why_shut(self, lane: str, shut_s: float) -> str:
        if self._limiter.spent_s("general", backfill=lane in BACKFILL) > 0:
            are_some_left = self._limiter.spent_s("general", backfill=False) == 0
            return DailyLimitReached(shut_s, backfill=are_some_left).what
        return DailyLimitReached(shut_s, gate=self._gates(lane)[-1]).what
