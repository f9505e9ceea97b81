"""The mapping: which Sage 100 value becomes which HubSpot property, as data."""

from __future__ import annotations
