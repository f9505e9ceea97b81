"""What can be wrong with an exported log."""

from __future__ import annotations

from connector.errors import ConnectorError, Misconfigured


class ArchiveBroken(ConnectorError):
    """The file is not a log as it was exported."""

    category = "archive"
    default_remedy = (
        "'ml-connector verify --export FILE' says how far it holds. Export anew, or take another "
        "copy."
    )

    def __init__(self, position: int, what: str, *, where: str = "") -> None:
        self.position = position  # the first one that does not fit
        super().__init__(what, where=where)


class Unexplained(ArchiveBroken):
    """An event is blank, and the file does not say why."""

    default_remedy = (
        "If the file is a range that ended before the erasure, export that range anew; else "
        "somebody has blanked it: take another copy, or the last anchored one."
    )


class ErasedMeanwhile(ConnectorError):
    """Records were erased again and again while the file was written: it is left empty."""

    category = "archive"
    retryable = True
    default_remedy = "Export again when no erasure is under way."


class CutAtOnce(ConnectorError):
    """The file was cut off before the end of its first line."""

    category = "archive"
    default_remedy = "Export into it again, or take another copy."

    def __init__(self, seen: bytes, *, where: str) -> None:
        self.seen = seen  # of the first line
        super().__init__(where=where)


class NotThisLog(Misconfigured):
    """The file and the store do not hold the same log."""

    category = "archive"
    default_remedy = "Choose another file, or another store."
