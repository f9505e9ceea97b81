"""How the service tells whoever is watching how far it has come.

Pollers, projector and writer call a `Progress`; what becomes of it (bars on a terminal, lines in
a log, nothing at all) is decided where the command line is. Calls are cheap, never block and
never raise, so that watching a run cannot change it.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Counters as they move. Every figure is a total so far, never a step."""

    def poll(self, company: str, entity: str, read: int) -> None:
        """This pass over one entity of one company has read so many rows."""
        ...

    def project(self, done: int, total: int) -> None:
        """The projector stands at position `done` of a log that ends at `total`."""
        ...

    def write(self, object: str, done: int, pending: int) -> None:  # noqa: A002 - HubSpot's word
        """So many commands of one HubSpot object are carried out, so many are still to come."""
        ...


class Silent:
    """A `Progress` that tells nobody: for tests, and for `--json` with nobody watching."""

    def poll(self, company: str, entity: str, read: int) -> None:
        """Say nothing."""

    def project(self, done: int, total: int) -> None:
        """Say nothing."""

    def write(self, object: str, done: int, pending: int) -> None:  # noqa: A002 - as above
        """Say nothing."""
