"""The store as this program opens it: its tables, and how the log's old events are read.

Whatever reads or writes a log of ours opens it here, so that an event of an early form is nowhere
taken for one of today's, and one of a newer program nowhere for one that we know.
"""

from __future__ import annotations

import contextlib

from connector.rebuild import all_tables
from connector.sage100.passes import WORK_TABLES
from eventstore import EventStore, open_store
from projections import events
from projections.upcasting import UPCASTERS


def open_log(
    url: str, *, read_only: bool = False, steady: bool = False
) -> contextlib.AbstractAsyncContextManager[EventStore]:
    """The store at `url` with all of our tables, to be entered; raises what `open_store` raises."""
    return open_store(
        url,
        tables=[*all_tables(), *WORK_TABLES],
        read_only=read_only,
        steady=steady,
        upcasters=UPCASTERS,
        schemas=events.SCHEMAS,
    )
