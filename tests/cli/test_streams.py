"""Full disks, readers that go, terminals without colour, and a start that is interrupted."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from connector.cli import output
from connector.cli.counting import counting
from connector.cli.streams import OutputLost, guarded
from tests.cli.command import Ended, environment

_COMMANDS: Final = [["--version"], ["verify", "--help"], ["sandbox", "hubspot", "--port", "0"]]


def started(
    arguments: list[str], stdout: int, *, stderr: int = subprocess.PIPE, **env: str
) -> Ended:
    """Run a command with its standard output there."""
    done = subprocess.run(
        [sys.executable, "-m", "connector", *arguments],
        env=environment(env),
        stdout=stdout,
        stderr=stderr,
        text=True,
        timeout=60,
        check=False,
    )
    return Ended(done.returncode, "", done.stderr or "")


@pytest.mark.parametrize("arguments", _COMMANDS, ids=" ".join)
def test_a_full_disk_is_told_in_a_sentence(arguments: list[str]) -> None:
    """What cannot be written is an error in words with code 1, no traceback."""
    with Path("/dev/full").open("w") as full:
        ended = started(arguments, full.fileno())
    assert ended.code == 1
    assert ended.err.splitlines()[0] == (
        "error: the output cannot be written: No space left on device"
    )
    assert "Traceback" not in ended.err


def test_a_full_disk_under_the_log_is_no_reason_to_stop() -> None:
    """What is said beside the work may get lost; the command does its work, and ends as it does."""
    with Path("/dev/full").open("w") as full:
        ended = started(
            ["--config", "missing.toml", "status"], subprocess.PIPE, stderr=full.fileno()
        )
        assert ended.code == 2
        ended = started(["--version"], full.fileno(), stderr=full.fileno())
        assert ended.code == 1


@pytest.mark.parametrize("arguments", _COMMANDS, ids=" ".join)
def test_a_reader_that_has_gone_is_told_nothing(arguments: list[str]) -> None:
    """`| head -1` ends a command without a word and without a traceback."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = started(arguments, writing)
    finally:
        os.close(writing)
    assert (ended.code, ended.err) == (1, "")


def test_a_document_that_cannot_be_written_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document of --json is refused in the same way as a line."""
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(OutputLost, match="No space left"), guarded():
            output.document({"a": 1})


def on_a_terminal(arguments: list[str], **env: str) -> str:
    """What a command shows on a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "connector", *arguments],
        env=environment({"TERM": "xterm-256color"} | env),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    read = b""
    try:
        while some := os.read(ours, 65_536):
            read += some
    except OSError:
        pass  # the other side is closed
    finally:
        os.close(ours)
    process.wait(60)
    return read.decode()


@pytest.mark.parametrize("arguments", [["verify", "--help"], ["nonsense"], ["status"]])
@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_who_wants_no_colour_gets_no_escape_code(arguments: list[str], env: dict[str, str]) -> None:
    """NO_COLOR and TERM=dumb mean none at all, not bold and dim either; else there are some."""
    assert "\x1b" not in on_a_terminal(arguments, **env)
    assert "\x1b" in on_a_terminal(arguments)


@pytest.mark.parametrize("wanted", [{"GITHUB_ACTIONS": "true"}, {"PY_COLORS": "1"}], ids=str)
def test_a_pipe_gets_no_escape_codes(wanted: dict[str, str]) -> None:
    """No terminal, no codes, also on a build server."""
    done = subprocess.run(
        [sys.executable, "-m", "connector", "verify", "--help"],
        env=environment(wanted),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "\x1b" not in done.stdout


def test_no_bar_moves_where_no_code_is_wanted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Progress comes in lines where a bar could not be drawn."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    times = iter([0.0, 9.0, 9.0])
    with counting(output.stderr(), "verified", clock=lambda: next(times)) as count:
        count(1, 2)
    assert capsys.readouterr().err == "verified: 1 of 2\n"


_INTERRUPT: Final = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from connector.__main__ import main
main()
"""


@pytest.mark.parametrize("module", ["typer", "msgspec", "connector.cli.verify", "aiohttp"])
def test_an_interrupted_start_ends_with_130(module: str) -> None:
    """Ctrl-C while the program is being loaded: a word, 130, no traceback."""
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPT.format(module=module)],
        env=environment({}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "error: interrupted\n")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_runs_in_the_background_is_not_interrupted() -> None:
    """A shell lets its background jobs ignore Ctrl-C: the start does, too."""
    script = _INTERRUPT.replace("from connector", "sys.argv[1:] = ['--version']\nfrom connector")
    ignoring = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    done = subprocess.run(
        [sys.executable, "-c", ignoring + script.format(module="typer")],
        env=environment({}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ml-connector ")
