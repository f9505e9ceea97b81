"""What can go wrong in the store, arranged by what one can do about it.

    EventStoreError
    ├── Conflict             somebody else was first: read again, decide again
    │   ├── WrongVersion
    │   ├── HeadMoved
    │   └── CheckpointMoved
    ├── Refused              the call is at fault: fix the caller
    │   ├── InvalidAppend
    │   ├── NotTheNext
    │   ├── UnknownTable
    │   ├── StoreReadOnly
    │   └── StoreClosed
    ├── Misconfigured        the place or the program is at fault: fix the configuration
    │   ├── UnsupportedUrl
    │   ├── StoreMissing
    │   ├── StoreInUse
    │   ├── NotAStore
    │   ├── UnknownSchema
    │   ├── BadUpcaster
    │   └── BadTable
    ├── Damaged              the data is at fault: stop, look, restore
    │   ├── StoreDamaged
    │   └── ChainBroken
    └── Unavailable          disk, lock or system: try again later
        └── ErasureUnfinished

The first sentence of a class's docstring is its default message, so the two cannot drift apart.
"""

from __future__ import annotations


class EventStoreError(Exception):
    """The event store failed."""

    def __init__(self, message: str = "") -> None:
        if not message:
            message = (type(self).__doc__ or "").partition("\n\n")[0]
        super().__init__(message)


class Conflict(EventStoreError):
    """Another writer was first: read again and decide again."""


class WrongVersion(Conflict):
    """A stream does not stand at the version the append expected."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        self.stream = stream
        self.expected = expected
        self.actual = actual
        super().__init__(f"stream {stream!r} stands at version {actual}, not {expected}")


class HeadMoved(Conflict):
    """The log does not end where the append expected."""

    def __init__(self, expected: int, actual: int) -> None:
        self.expected = expected
        self.actual = actual
        super().__init__(f"the log ends at position {actual}, not {expected}")


class CheckpointMoved(Conflict):
    """A checkpoint is not where the append said it was: another copy of its owner moved it."""

    def __init__(self, name: str, expected: int, actual: int) -> None:
        self.name = name
        self.expected = expected
        self.actual = actual
        super().__init__(
            f"checkpoint {name!r} stands at position {actual}, not {expected}: "
            "another copy of its owner moved it"
        )


class Refused(EventStoreError):
    """The call cannot be carried out as it was made."""


class InvalidAppend(Refused):
    """An append, or an erasure, carries values the store cannot hold."""


class NotTheNext(Refused):
    """What is to be restored does not follow the end of this log."""


class UnknownTable(Refused):
    """The read-model table was not declared when the store was opened."""


class StoreReadOnly(Refused):
    """The store was opened read-only and takes no appends."""


class StoreClosed(Refused):
    """The store is closed."""


class Misconfigured(EventStoreError):
    """The store cannot be opened with this configuration."""


class UnsupportedUrl(Misconfigured):
    """The store URL is not one this build understands; use sqlite:///file.db."""


class StoreMissing(Misconfigured):
    """There is no store at this place."""


class StoreInUse(Misconfigured):
    """Another process has this store open for writing."""


class NotAStore(Misconfigured):
    """The file is not an event store; it was left untouched."""


class UnknownSchema(Misconfigured):
    """The store, or an event in it, was written by a newer program: upgrade this one."""


class BadUpcaster(Misconfigured):
    """The upcasters do not form an unbroken chain, or one of them failed."""


class BadTable(Misconfigured):
    """A read-model table is declared wrongly, or other than the store already holds it."""


class Damaged(EventStoreError):
    """The store's data is not what was written."""


class StoreDamaged(Damaged):
    """The database file is damaged: restore it from a backup."""


class ChainBroken(Damaged):
    """The hash chain does not match the events: history was altered or the file is damaged."""

    def __init__(self, position: int, why: str = "its digest does not match") -> None:
        self.position = position
        super().__init__(f"the hash chain is broken at position {position}: {why}")


class Unavailable(EventStoreError):
    """The database could not carry out the operation now; it may succeed later."""


class ErasureUnfinished(Unavailable):
    """Payloads are blanked, but the old bytes are still in the write-ahead log."""
