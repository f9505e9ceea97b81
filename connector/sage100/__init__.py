"""The Sage 100 side: asking the agent beside Sage 100, and logging what it says.

    agent      one agent over SOAP, one request at a time       contract, envelope, parse, body
    rounds     when what is asked, and in which order           schedule, instance, source
    poller     one pass over what changed                       passes, observe, place
    sweep      one pass over everything, and what is gone       fingerprint, selection

Only this package speaks to agents. It appends to the log and never decides what HubSpot gets.
"""

from __future__ import annotations
