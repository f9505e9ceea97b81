"""The connector stopped at every place where it waits: `python -m tests.selftest`."""
