"""What the file may say and would have no effect: refused before anything runs.

Each key is right by itself, so the parser takes them; but a setting that protects a connection must
never be taken and then ignored.
"""

from __future__ import annotations

from connector.config.settings import Config
from connector.errors import Misconfigured
from connector.own_files import refuse_own


def refuse_unsupported(config: Config) -> None:
    """Raises Misconfigured for settings that cannot be honoured."""
    matching = config.hubspot.matching
    if matching.customer_number != "off" and not matching.customer_number_property:
        raise Misconfigured(
            "it is not said in which HubSpot property the customer number is looked for",
            where=f"{config.path}, [hubspot.matching] customer_number",
            remedy='Name it: customer_number_property = "…", or set customer_number = "off".',
        )
    if config.hubspot.invoices == "custom" and config.hubspot.mapping is not None:
        raise Misconfigured(
            f'invoices = "custom" is a choice of the built-in mapping, and mapping = '
            f'"{config.hubspot.mapping.name}" names one of your own (init writes that line)',
            where=f"{config.path}, [hubspot] invoices",
            remedy="Either take the line mapping out: the built-in mapping is in force then, as "
            "init wrote it, without what you have changed in the file. Or take the line invoices "
            'out, and put hubspot_type = "p_sage100_invoice" under [invoices] in your mapping, '
            "without the rules for HubSpot's own properties (hs_…).",
        )
    if config.anchors.file is not None:
        refuse_own(
            config.anchors.file,
            config.store.file,
            (config.path, config.hubspot.mapping),
            remedy=f"Name another one: {config.path}, [anchors] file. Best where whoever runs the "
            "database cannot write.",
        )
    for agent in config.sage100:
        where = f'{config.path}, [[sage100]] "{agent.name}"'
        if agent.endpoint.startswith("https:"):
            continue
        if agent.tls.ca_bundle is not None or agent.tls.pin is not None:
            raise Misconfigured(
                "a plain http:// address has no certificate that could be trusted or pinned",
                where=f"{where}, [sage100.tls]",
                remedy="Use an https:// endpoint, or leave out ca_bundle and pin.",
            )
        if agent.auth.client_certificate is not None:
            raise Misconfigured(
                "a client certificate cannot travel to a plain http:// address",
                where=f"{where}, [sage100.auth] client_certificate",
                remedy="Use an https:// endpoint, or api_key instead.",
            )
