"""The log as a file: JSON lines that anyone can read, check and bring back, byte for byte.

lines      what a line holds, both ways; ops/handbook/archive.md documents it for others
files      the bytes below the lines: plain or Zstandard, and where a cut file can go on
writing    export: from a store into a file, or on into one that was cut off
spooling   a pipe as a file that can be read again
reading    import: from a file into an empty store, or on behind a log that it begins with
"""

from __future__ import annotations

from connector.archive.errors import ArchiveBroken, NotThisLog
from connector.archive.reading import ImportReport, must_be_importable, restore
from connector.archive.spooling import source_of
from connector.archive.writing import ExportReport, export

__all__ = [
    "ArchiveBroken",
    "ExportReport",
    "ImportReport",
    "NotThisLog",
    "export",
    "must_be_importable",
    "restore",
    "source_of",
]
