"""One record's part of the log, without who it is about: to be handed to others and played again.

`collect` takes the slice out of a store, `disguise` makes its names up, `play` plays it.
"""

from __future__ import annotations

from connector.bundle.files import Bundle, BundleEvent, must_be_free, payload_of, read, write
from connector.bundle.masking import disguise
from connector.bundle.playing import Difference, Played, play, prepare
from connector.bundle.seeds import Seed, seeds
from connector.bundle.slices import collect

__all__ = [
    "Bundle",
    "BundleEvent",
    "Difference",
    "Played",
    "Seed",
    "collect",
    "disguise",
    "must_be_free",
    "payload_of",
    "play",
    "prepare",
    "read",
    "seeds",
    "write",
]
