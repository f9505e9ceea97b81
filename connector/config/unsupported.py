"""What the file may say and this version cannot do yet: refused before anything runs.

The keys are part of the fixed interface, so the parser takes them; a setting that protects a
connection must never be taken and then ignored. When a feature arrives, its lines here go.
"""

from __future__ import annotations

from connector.config.settings import Config
from connector.errors import Misconfigured


def refuse_unsupported(config: Config) -> None:
    """Raises Misconfigured for settings of an agent that this version cannot honour."""
    for agent in config.sage100:
        where = f'{config.path}, [[sage100]] "{agent.name}"'
        if agent.auth.scheme != "basic":
            raise Misconfigured(
                f'this version cannot log on with scheme = "{agent.auth.scheme}"',
                where=f"{where}, [sage100.auth] scheme",
                remedy="Enable Basic authentication over TLS in IIS for the agent, then set scheme "
                '= "basic".',
            )
        if agent.auth.client_certificate is not None:
            raise Misconfigured(
                "this version cannot present a client certificate",
                where=f"{where}, [sage100.auth] client_certificate",
                remedy="Give the agent's api_key instead of client_certificate and client_key.",
            )
        if agent.tls.pin is not None:
            raise Misconfigured(
                "this version cannot pin a certificate",
                where=f"{where}, [sage100.tls] pin",
                remedy="Name the issuer's certificate with ca_bundle instead of pin.",
            )
