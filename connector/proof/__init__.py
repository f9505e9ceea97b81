"""The AR tie-out: what Sage 100 says is owed = our figures = HubSpot's, to the cent, or why not."""

from __future__ import annotations

from connector.proof.document import CompanyProof, NoFigures, Proof
from connector.proof.evidence import AgedOtherwise, OwnAging, Reading
from connector.proof.prover import prove

__all__ = [
    "AgedOtherwise",
    "CompanyProof",
    "NoFigures",
    "OwnAging",
    "Proof",
    "Reading",
    "prove",
]
