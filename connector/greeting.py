"""The first word with HubSpot: whether it accepts the token, and when the portal's day ends.

Only the account knows its time zone, and only an answer shows that a token which was refused is
accepted by now. So it is asked before anything is written; with nothing to write nothing is asked.
"""

from __future__ import annotations

import logging
from typing import Final

from connector.errors import ConnectorError
from connector.hubspot import schema
from connector.hubspot.api import HubSpot
from connector.hubspot.errors import TokenRefused
from connector.hubspot.permission import Permission
from eventstore import EventStore
from projections.tables import LANES

_log: Final = logging.getLogger(__name__)


async def greet(hubspot: HubSpot, permission: Permission) -> TokenRefused | None:
    """Ask for the account: the refusal when the token is refused, which the log then knows."""
    try:
        await schema.portal_id(hubspot)
    except TokenRefused as problem:
        await permission.stopped(problem)
        return problem
    except ConnectorError as problem:
        _log.warning("HubSpot does not say when its day ends: %s", problem)
        return None
    await permission.accepted()
    return None


async def is_called_for(store: EventStore, hubspot: HubSpot, permission: Permission) -> bool:
    """Whether a refusal may be over, or calls are to be made and the zone is not known."""
    if await permission.is_stopped():
        return True
    if hubspot.limiter.portal_zone is not None:
        return False
    ranks = [await store.next_rank(f"outbox_{lane}") for lane in LANES]
    return any(rank is not None for rank in ranks)
