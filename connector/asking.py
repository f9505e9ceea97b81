"""Asking for something that is appended to the log, whoever has the store: here, or by an order."""

from __future__ import annotations

from connector import orders
from connector.config import Config
from connector.opening import open_writer
from connector.orders import Request
from eventstore import StoreInUse


async def ask(config: Config, request: Request) -> bool:
    """Append it, or leave it for the running service; False when there was nothing to ask for.

    Raises StoreInUse only where there is no place for orders, and OrderTooLarge.
    """
    try:
        async with open_writer(config) as store:
            return await orders.enter(store, request)
    except StoreInUse:
        if config.store.file is None:
            raise
        await orders.leave(config.store.file, request)
        return True
