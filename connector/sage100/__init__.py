"""The Sage 100 side: asking the agent beside Sage 100, and logging what it says.

    agent      one agent over SOAP, one request at a time: envelope, body, parse, describe, naming,
               retry, endpoint; errors and contract are its vocabulary
    auth       who we are: auth_logon past IIS, once per auth_connection, with the tokens of
               auth_handshake; auth_certificate in TLS
    poller     one pass over what changed: passes, observe, fingerprint, selection, place
    sweep      one pass over everything, for what stamps do not show and what is gone
    rounds     what is asked when, and in which order: timetable, schedule, instance, source;
               what stops it: refusals, guard

Only this package speaks to agents. It appends to the log and never decides what HubSpot gets.
"""

from __future__ import annotations
