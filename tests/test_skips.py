"""The guard against silently skipped tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import conftest

pytest_plugins = ["pytester"]

TEST = """
import pytest

def test_a():
    pytest.skip("no reason that is known")

@pytest.mark.xfail(reason="known", strict=True)
def test_b():
    raise ValueError

def test_c():
    pass
"""


@pytest.mark.parametrize("options", [(), ("-n1",)])
def test_a_skip_fails_the_run(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    """One skipped test turns a good run bad and is named; an expected failure does not."""
    pytester.makeconftest(Path(conftest.__file__).read_text(encoding="utf-8"))
    pytester.makepyfile(TEST)
    result = pytester.runpytest_subprocess(*options, "-p", "no:cacheprovider")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*skipped without leave*", "*test_a: no reason that is known"])
    assert "test_b:" not in result.stdout.str()
