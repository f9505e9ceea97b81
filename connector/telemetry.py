"""Where the service's own traces and log lines go: OpenTelemetry and standard error.

Without a collector in the configuration nothing is exported and spans cost next to nothing.
Exporting happens on a thread of its own, in batches, and a collector that is slow or gone costs a
warning, never a pass. Log lines are the last place a secret could slip through, so every line is
searched for the secrets of the configuration before it is written.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from time import gmtime
from typing import Any, Final
from urllib.parse import quote

import msgspec
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

from connector.config import Config, TelemetrySettings
from connector.errors import TOLD_AT_THE_END
from connector.secret import HIDDEN, Secret

_EXPORT_TIMEOUT_S: Final = 5.0
_LINE: Final = "%(asctime)sZ %(levelname)-7s %(name)s: %(message)s"


def product_version() -> str:
    """The installed version of ml-connector; "0" when it runs from a bare source tree."""
    try:
        return version("ml-connector")
    except PackageNotFoundError:
        return "0"


def setup_telemetry(settings: TelemetrySettings) -> Callable[[], None]:
    """Start exporting spans to the collector; call the answer, on a thread, to flush and stop.

    Once per process: OpenTelemetry keeps the first provider it is given.
    """
    if settings.otlp_endpoint is None:
        # Spans that nobody sees still give each commit its trace.
        if not isinstance(trace.get_tracer_provider(), TracerProvider):
            trace.set_tracer_provider(TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False))
        return _nothing
    provider = exporting_to(settings.otlp_endpoint)
    trace.set_tracer_provider(provider)
    return provider.shutdown


def exporting_to(endpoint: str) -> TracerProvider:
    """A provider that sends its spans to a collector's OTLP/HTTP address."""
    provider = TracerProvider(
        resource=Resource.create(
            {
                "service.name": "ml-connector",
                "service.version": product_version(),
                "host.name": platform.node(),
            }
        ),
        # Also what continues a trace that began while there was no collector.
        sampler=ALWAYS_ON,
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=_EXPORT_TIMEOUT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _nothing() -> None:
    """Nothing was started."""


def secrets_of(settings: Any) -> Iterator[Secret]:
    """Every secret anywhere in a configuration, as far as it could be had."""
    if isinstance(settings, Secret):
        if settings.is_there:
            yield settings
    elif isinstance(settings, msgspec.Struct):
        for field in msgspec.structs.fields(settings):
            yield from secrets_of(getattr(settings, field.name))
    elif isinstance(settings, tuple):
        for each in settings:
            yield from secrets_of(each)


class Redacting(logging.Formatter):
    """Formats a line, exception and all, and blots out every known secret in it."""

    converter = staticmethod(gmtime)

    def __init__(self, secrets: Iterator[Secret]) -> None:
        """Take in the secrets, also as they look inside a URL; the longest is replaced first."""
        super().__init__(_LINE, datefmt="%Y-%m-%dT%H:%M:%S")
        values = {secret.reveal() for secret in secrets}
        forms = values | {quote(value, safe="") for value in values}
        self._forms = sorted(forms, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """The finished line, without secrets."""
        line = super().format(record)
        for form in self._forms:
            line = line.replace(form, HIDDEN)
        return line


class Lines(logging.Handler):
    """Hands finished lines to whoever owns standard error (progress bars, for instance)."""

    def __init__(self, write: Callable[[str], None]) -> None:
        """`write` gets one line without its end."""
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; what goes wrong in doing so is reported as logging does."""
        try:
            self._write(self.format(record))
        except Exception:  # noqa: BLE001 - logging must not fail what it reports on
            self.handleError(record)


def setup_logging(
    config: Config | None, write: Callable[[str], None], *, verbose: bool = False
) -> logging.Handler:
    """Send all log lines to `write`, redacted; the handler, to be taken off the root logger."""
    handler = Lines(write)
    handler.setFormatter(Redacting(secrets_of(config)))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    # Libraries speak up only when something is wrong.
    for library in ("aiohttp", "aiosqlite", "asyncio", "opentelemetry", "urllib3", "backoff"):
        logging.getLogger(library).setLevel(logging.WARNING)
    return handler


@contextmanager
def left_to_the_end() -> Iterator[None]:
    """Keep lines out whose matter is told at the end of the block, by whoever entered it."""
    handlers = [one for one in logging.getLogger().handlers if isinstance(one, Lines)]
    for handler in handlers:
        handler.addFilter(_is_told_nowhere_else)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(_is_told_nowhere_else)


def _is_told_nowhere_else(record: logging.LogRecord) -> bool:
    return not any(hasattr(record, mark) for mark in TOLD_AT_THE_END)
