"""The HubSpot side: client, limits, settling, writer and set-up."""

from __future__ import annotations
