"""What an agent leaves on disk for its clients: certificates, keys, the password.

Everything in the folder can be read by its owner alone. Secrets found there are used again, so that
a client's configuration outlives a restart of the agent.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from connector.sandbox.agent.tls_certificates import private


def open_folder(path: str) -> Path:
    """The folder, made when missing, its owner's alone."""
    folder = Path(path).absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def secret(folder: Path | None, name: str, chosen: str | None, size: int) -> str:
    """The secret that was chosen, else the one in the folder, else a new one of `size` bytes."""
    if folder is None:
        return chosen or secrets.token_urlsafe(size)
    path = folder / name
    kept = path.read_text(encoding="utf-8") if chosen is None and path.is_file() else ""
    value = chosen or kept or secrets.token_urlsafe(size)
    private(path, value.encode())
    return value
