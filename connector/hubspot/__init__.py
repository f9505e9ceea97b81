"""HubSpot: the client, its limits, and the writer that carries commands out.

The only package that speaks to HubSpot. It reads commands from the log's work lists, sends them in
batches, and appends what HubSpot answered; it decides nothing about what HubSpot should hold.
"""

from __future__ import annotations
