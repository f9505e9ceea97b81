"""A simulated HubSpot portal: the public CRM API, as strict as the real one, on a loopback socket.

It shares no code with the client, so what works against it works because the client is right.
"""

from __future__ import annotations

from . import faults
from .calls import Call, Calls
from .exchange import Exchange
from .faults import Action, Answer, Drop, Empty, Hold, Injection, Omit
from .options import HubSpotOptions, InvoiceRules, Latency, Limits
from .portal import Portal
from .property import Property
from .server import SimulatedHubSpot, run_hubspot

__all__ = [
    "Action",
    "Answer",
    "Call",
    "Calls",
    "Drop",
    "Empty",
    "Exchange",
    "Hold",
    "HubSpotOptions",
    "Injection",
    "InvoiceRules",
    "Latency",
    "Limits",
    "Omit",
    "Portal",
    "Property",
    "SimulatedHubSpot",
    "faults",
    "run_hubspot",
]
