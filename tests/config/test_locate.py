"""Finding the line of a key in a TOML text."""

from __future__ import annotations

from connector.config.locate import line_of, lines_of

TEXT = '''\
top = 1
"quoted key" = 2  # comment with [brackets]

[a.b]            # line 4
text = """
[not.a.table]
x = 1
"""
list = [
  "one]",   # ]
  [1, 2],
]
after = 'it\\'
inline = { x = { y = 1 } }

[[many]]
k = 1
[many.sub]
deep.er = 1
[[many.list]]
z = 1
[[many]]
k = 2
'''


def test_keys_and_headers() -> None:
    """Headers, keys, dotted keys and arrays of tables are found; strings and arrays are not."""
    assert lines_of(TEXT) == {
        ("top",): 1,
        ("quoted key",): 2,
        ("a", "b"): 4,
        ("a", "b", "text"): 5,
        ("a", "b", "list"): 9,
        ("a", "b", "after"): 13,
        ("a", "b", "inline"): 14,
        ("many",): 16,
        ("many", 0): 16,
        ("many", 0, "k"): 17,
        ("many", 0, "sub"): 18,
        ("many", 0, "sub", "deep"): 19,
        ("many", 0, "sub", "deep", "er"): 19,
        ("many", 0, "list"): 20,
        ("many", 0, "list", 0): 20,
        ("many", 0, "list", 0, "z"): 21,
        ("many", 1): 22,
        ("many", 1, "k"): 23,
    }


def test_nearest_place() -> None:
    """What has no line of its own is placed at what holds it."""
    lines = lines_of(TEXT)
    assert line_of(lines, ("a", "b", "inline", "x", "y")) == 14
    assert line_of(lines, ("nowhere",)) is None
