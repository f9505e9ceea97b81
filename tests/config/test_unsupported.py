"""Settings that protect a connection are honoured or refused, never ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.config.unsupported import refuse_unsupported
from connector.errors import Misconfigured
from tests.config.sample import changed, load

PIN = f'pin = "sha256:{"ab" * 32}"'
BUNDLE = 'ca_bundle = "ml-connector.toml"'
CERTIFICATE = 'client_certificate = "ml-connector.toml"\nclient_key'


@pytest.mark.parametrize(
    ("right", "wrong", "key"),
    [
        ("[sage100.tls]", f"[sage100.tls]\n{PIN}", "[sage100.tls]"),
        ("[sage100.tls]", f"[sage100.tls]\n{BUNDLE}", "[sage100.tls]"),
        ("api_key   = {", f"{CERTIFICATE} = {{", "client_certificate"),
    ],
)
def test_refused_at_start(tmp_path: Path, right: str, wrong: str, key: str) -> None:
    """What would protect nothing on a plain address is refused, with what to do instead."""
    here = changed("https://sage.acme.local/", "http://127.0.0.1:8080/")
    assert right in here
    config = load(tmp_path, here.replace(right, wrong))
    with pytest.raises(Misconfigured) as raised:
        refuse_unsupported(config)
    assert raised.value.where.endswith(key)
    assert raised.value.remedy


@pytest.mark.parametrize(
    ("right", "instead"),
    [
        ('"basic"', '"basic"'),
        ('"basic"', '"ntlm"'),
        ('"basic"', '"negotiate"'),
        ("api_key   = {", f"{CERTIFICATE} = {{"),
        ("[sage100.tls]", f"[sage100.tls]\n{PIN}"),
        ("[sage100.tls]", f"[sage100.tls]\n{BUNDLE}"),
    ],
)
def test_what_is_supported_passes(tmp_path: Path, right: str, instead: str) -> None:
    """Every scheme, a client certificate in place of the key, a pin, a bundle: nothing raised."""
    config = load(tmp_path, changed(right, instead))
    refuse_unsupported(config)
    auth = config.sage100[0].auth
    assert (auth.api_key is None) == (auth.client_certificate is not None)


def test_custom_invoices_go_with_the_built_in_mapping(tmp_path: Path) -> None:
    """A mapping of one's own says itself what invoices are: the switch beside it is refused."""
    line = 'tier        = "professional"'
    (tmp_path / "own.toml").write_text("version = 1", "utf-8")
    own = changed(line, f'{line}\nmapping = "own.toml"\ninvoices = "custom"')
    with pytest.raises(Misconfigured) as raised:
        refuse_unsupported(load(tmp_path, own))
    assert raised.value.where.endswith("[hubspot] invoices")
    assert 'mapping = "own.toml"' in raised.value.what
    assert "take the line mapping out" in raised.value.remedy
    assert "p_sage100_invoice" in raised.value.remedy
    refuse_unsupported(load(tmp_path, changed(line, f'{line}\ninvoices = "custom"')))
