"""The operator's configuration: one TOML file, checked as a whole before anything runs.

What is in force is what is written there: an unknown key, a value of the wrong kind or a missing
secret is refused at start with the line, what was expected and the nearest valid name.
"""

from __future__ import annotations

from connector.config.load import load_config
from connector.config.problems import InvalidConfiguration, Problem
from connector.config.settings import (
    AuthSettings,
    Config,
    ConsoleSettings,
    HubSpotSettings,
    Sage100Settings,
    ScheduleSettings,
    StoreSettings,
    TelemetrySettings,
    TlsSettings,
)

__all__ = [
    "AuthSettings",
    "Config",
    "ConsoleSettings",
    "HubSpotSettings",
    "InvalidConfiguration",
    "Problem",
    "Sage100Settings",
    "ScheduleSettings",
    "StoreSettings",
    "TelemetrySettings",
    "TlsSettings",
    "load_config",
]
