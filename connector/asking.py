"""Asking for something that is appended to the log, whoever has the store: here, or by an order."""

from __future__ import annotations

from enum import StrEnum

from connector import orders
from connector.config import Config
from connector.opening import open_writer
from connector.orders import Request
from eventstore import StoreInUse


class Asked(StrEnum):
    """Who carries out what was asked for; false when there was nothing to ask for any more."""

    NOTHING = ""
    NEXT_RUN = "the next run"
    SERVICE = "the running service"


async def ask(config: Config, request: Request) -> Asked:
    """Append it, for the next run; or leave it for the service that has the store.

    Raises StoreInUse only where there is no place for orders, and OrderTooLarge.
    """
    try:
        async with open_writer(config) as store:
            return Asked.NEXT_RUN if await orders.enter(store, request) else Asked.NOTHING
    except StoreInUse:
        if config.store.file is None:
            raise
        await orders.leave(config.store.file, request)
        return Asked.SERVICE
