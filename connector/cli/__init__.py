"""The command line: one module per family of commands, Typer for parsing, Rich for showing.

Commands only ask and show: what they do is done by the application and the reports.
"""

from __future__ import annotations
