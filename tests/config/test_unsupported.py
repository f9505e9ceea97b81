"""Settings that protect a connection are honoured or refused, never ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.config.unsupported import refuse_unsupported
from connector.errors import Misconfigured
from tests.config.sample import changed, load

PIN = f'pin = "sha256:{"ab" * 32}"'


@pytest.mark.parametrize(
    ("right", "wrong", "key"),
    [
        ('"basic"', '"ntlm"', "scheme"),
        ('"basic"', '"negotiate"', "scheme"),
        ("[sage100.tls]", f"[sage100.tls]\n{PIN}", "pin"),
        (
            "api_key   = {",
            'client_certificate = "ml-connector.toml"\nclient_key = {',
            "client_certificate",
        ),
    ],
)
def test_refused_at_start(tmp_path: Path, right: str, wrong: str, key: str) -> None:
    """What the parser takes and the client cannot do is refused, with what to do instead."""
    config = load(tmp_path, changed(right, wrong))
    with pytest.raises(Misconfigured) as raised:
        refuse_unsupported(config)
    assert raised.value.where.endswith(key)
    assert raised.value.remedy


def test_what_is_supported_passes(tmp_path: Path) -> None:
    """Basic authentication with an API key is what this version does: nothing is raised."""
    config = load(tmp_path)
    refuse_unsupported(config)
    assert config.sage100[0].auth.api_key is not None
