"""What a tie-out says: the sums, the differences, and what they rest on."""

from __future__ import annotations

import msgspec

from connector.errors import ConnectorError
from connector.proof.evidence import OwnAging, Reading
from projections.tieout import Difference, Line


class CompanyProof(msgspec.Struct, frozen=True):
    """The tie-out of one company code. `customers`: who have open items; `as_of`: YYYY-MM-DD.

    `buckets`: which days each of the five aging buckets holds, by the company's own limits.
    `reading`: how old Sage 100's side is; `own_aging`: what its own aging comes to. Neither makes
    a difference to whether it ties out.
    """

    company: str
    instance: str
    currency: str
    as_of: str
    customers: int
    open_items: int
    lines: list[Line]
    differences: list[Difference]
    buckets: dict[str, str] = {}
    reading: Reading = Reading()
    own_aging: OwnAging = OwnAging()


class Proof(msgspec.Struct, frozen=True):
    """The tie-out. `position`, `hash`: of the log, when it was taken; `projected`: how far our side
    was; `settled`: two takes agreed, or nothing moved; `ok`: that, and nothing is unexplained.
    """

    ok: bool
    position: int
    hash: str
    time: str
    projected: int
    live: bool
    settled: bool
    takes: int
    companies: list[CompanyProof]


class NoFigures(ConnectorError):
    """The read models do not follow the log: nothing could be proved by them."""

    category = "proof"
    default_remedy = "'ml-connector rebuild' makes them anew; so does the next run."
