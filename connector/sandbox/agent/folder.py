"""What an agent leaves on disk for its clients: certificates, keys, the password.

Everything that it writes there can be read by its owner alone. Secrets found there are used again,
so that a client's configuration outlives a restart of the agent; they may have been put there by
hand, so they are read as clients read them, and left as they are.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

from connector.sandbox.agent.private_files import Unfit, private, unusable

_BYTE_ORDER_MARK: Final = "\ufeff"


def open_folder(path: str) -> Path:
    """The folder, made when missing, its owner's alone. Raises Unfit."""
    folder = Path(path).absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise Unfit("it is no folder, but a file", folder, "Name a folder.") from None
    except OSError as problem:
        raise unusable(folder, problem) from None
    return folder


def secret(folder: Path | None, name: str, chosen: str | None, size: int) -> str:
    """The secret that was chosen, else the one in the folder, else a new one of `size` bytes.

    Raises Unfit for one in the folder that is no secret, or not the chosen one.
    """
    if folder is None:
        return chosen or secrets.token_urlsafe(size)
    path = folder / name
    kept = _kept(path)
    if kept and chosen not in {None, kept}:
        remedy = "Remove it, or choose the one that it holds."
        raise Unfit("it holds another secret than the one that was chosen", path, remedy)
    if kept:
        return kept
    value = chosen or secrets.token_urlsafe(size)
    private(path, value.encode())
    return value


def _kept(path: Path) -> str:
    """The secret in a file, without the line end that editors leave; "" for none."""
    try:
        text = path.read_bytes().decode().removeprefix(_BYTE_ORDER_MARK).strip("\r\n")
        path.chmod(0o600)
    except FileNotFoundError:
        return ""
    except OSError as problem:
        raise unusable(path, problem) from None
    except UnicodeDecodeError:
        text = "\0"
    if not text.isprintable() or text != text.strip():
        raise Unfit(
            "it is no secret: one line of text in UTF-8, without blanks around it",
            path,
            "Correct it, or remove it: then a new one is made up.",
        )
    return text
