"""Pure functions from the log to what HubSpot should hold, and the read models behind every report.

Nothing here reads a network, a file or a clock: time and settings arrive as events. The same log
in gives the same bytes out, which is what makes rebuild, replay and proof possible.
"""

from __future__ import annotations
