"""The folder of a simulated agent: secrets put there by hand, and files that are not its own."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connector.sandbox.agent import AgentOptions, SimulatedAgent
from connector.sandbox.agent.folder import open_folder, secret
from connector.sandbox.agent.private_files import Unfit
from connector.sandbox.agent.tls import TlsListener
from connector.sandbox.agent.tls_certificates import Authority
from tests.cli.command import inside


@pytest.mark.parametrize(
    "content", [b"hunter2", b"hunter2\n", b"hunter2\r\n", b"\xef\xbb\xbfhunter2\n", b"hunter2\n\n"]
)
def test_a_secret_put_there_by_hand_is_read_as_clients_read_it(
    tmp_path: Path, content: bytes
) -> None:
    """Without line ends; the file stays as it is, but for who may read it."""
    (tmp_path / "password").write_bytes(content)
    (tmp_path / "password").chmod(0o644)
    assert secret(tmp_path, "password", None, 18) == "hunter2"
    assert (tmp_path / "password").read_bytes() == content
    assert stat.S_IMODE((tmp_path / "password").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a\nb", b"a\0b", b"   \n", b" a"])
def test_what_is_no_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    """Binary, several lines, or blank: it says which file, and leaves it."""
    (tmp_path / "password").write_bytes(content)
    with pytest.raises(Unfit, match=r"password: it is no secret.*remove it"):
        SimulatedAgent(AgentOptions(folder=str(tmp_path)))
    assert (tmp_path / "password").read_bytes() == content


def test_an_empty_secret_is_none(tmp_path: Path) -> None:
    """It is made up then, kept, and used again."""
    (tmp_path / "password").write_bytes(b"\n")
    made = secret(tmp_path, "password", None, 18)
    assert len(made) >= 18
    assert (tmp_path / "password").read_text() == made == secret(tmp_path, "password", None, 18)


def test_a_chosen_secret_takes_no_others_place(tmp_path: Path) -> None:
    """One that lies there already stays; the same one is no other."""
    assert secret(tmp_path, "password", "chosen", 18) == "chosen"
    assert secret(tmp_path, "password", "chosen", 18) == "chosen"
    with pytest.raises(Unfit, match="another secret"):
        secret(tmp_path, "password", "other", 18)
    assert (tmp_path / "password").read_text() == "chosen"


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    """A file, or a path below one."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(Unfit, match="no folder, but a file"):
        open_folder(str(tmp_path / "file"))
    with pytest.raises(Unfit, match="Not a directory"):
        open_folder(str(tmp_path / "file" / "below"))


def _foreign() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize("name", ["ca.pem", "server-1.pem", "client.pem", "client.key"])
@pytest.mark.parametrize(
    "content", [b"my company's CA", b"\0\xff", None], ids=["text", "binary", "key"]
)
def test_anothers_file_is_left_as_it_is(tmp_path: Path, name: str, content: bytes | None) -> None:
    """Whatever a person keeps there under a name of ours: the error says which it is."""
    foreign = _foreign() if content is None else content
    (tmp_path / name).write_bytes(foreign)
    with pytest.raises(Unfit, match=f"{name}: this file was not made by a simulated agent"):
        TlsListener(tmp_path, client_certificates="required").client_files()
    assert (tmp_path / name).read_bytes() == foreign


def test_a_link_to_anothers_file_is_left_too(tmp_path: Path) -> None:
    """Also one whose file is away just now."""
    (tmp_path / "ca.pem").symlink_to(tmp_path / "company.pem")
    with pytest.raises(Unfit, match=r"ca\.pem"):
        TlsListener(tmp_path)
    assert (tmp_path / "ca.pem").is_symlink()


def test_what_an_agent_made_is_made_anew(tmp_path: Path) -> None:
    """Start after start, with whatever certificates; an empty file is nobody's."""
    (tmp_path / "ca.pem").touch()
    seen = set()
    for profile in ("good", "unknown-ca", "self-signed"):
        listener = TlsListener(tmp_path, profile, client_certificates="required")
        listener.client_files()
        seen.add((tmp_path / "ca.pem").read_bytes())
    assert len(seen) == 3
    before = (tmp_path / "client.pem").read_bytes()
    (tmp_path / "client.key").write_bytes(_foreign())
    with pytest.raises(Unfit, match=r"client\.key"):
        Authority().client("us").write_pair(tmp_path / "client.pem", tmp_path / "client.key")
    assert (tmp_path / "client.pem").read_bytes() == before


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: folder.write_text("x"), "it is no folder, but a file"),
        (lambda folder: _put(folder / "password", b"\xff\xfe"), "it is no secret"),
        (lambda folder: _put(folder / "ca.pem", b"our CA"), "not made by a simulated agent"),
        (lambda folder: _put(folder / "password" / "x", b""), "it cannot be used: Is a directory"),
    ],
    ids=["a file", "binary", "own CA", "a folder for a file"],
)
def test_the_command_says_what_is_wrong_with_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: object, says: str
) -> None:
    """As an error of usage, with the file and what to do, and nothing of a port."""
    assert callable(make)
    make(tmp_path / "files")
    line = ("sandbox", "agent", "--customers", 2, "--invoices", 2, "--tls", "good", "--folder")
    ended = inside(capsys, *line, tmp_path / "files")
    assert (ended.code, says in ended.err) == (2, True), ended.err
    assert str(tmp_path / "files") in ended.err
    assert "remedy:" in ended.err
    assert "port" not in ended.err


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
