"""Log events: short constant phrases with fields, as JSON lines or for eyes."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

RECORDS = "armillary.record"
SERVER = ("uvicorn.access", "uvicorn.error")
"""Loggers of the HTTP server, which know a request as it was sent."""
HIDDEN = "..."
# Our own secrets, JSON web tokens, and whatever stands in a path where a key does.
_SECRET = re.compile(
    r"""\barm_[\w-]{8,}|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*|(?:(?<=[\s"'(=])|(?<=\\n)|^|(?<=://)[^/\s"']+)/+k/+[^/\s"'?\\]+"""
)
_fields: ContextVar[Mapping[str, object]] = ContextVar("fields", default=MappingProxyType({}))


def get_logger(name: str) -> FilteringBoundLogger:
    """Return the logger of a module."""
    return cast(FilteringBoundLogger, structlog.stdlib.get_logger(name))


def get_record(name: str) -> FilteringBoundLogger:
    """Return the logger of what is written down whatever the level: who was served what, and why."""
    return cast(FilteringBoundLogger, structlog.stdlib.get_logger(f"{RECORDS}.{name}"))


def says(name: str, level: int = logging.INFO) -> bool:
    """Tell whether events of a module and level go anywhere; cheaper than saying them to nobody."""
    return logging.getLogger(name).isEnabledFor(level)


def without_secrets(text: str) -> str:
    """Return a text without the tokens that clients showed, be it in a header, a path or a query."""
    # Most lines are told apart by three looks at them.
    if "/k" not in text and "arm_" not in text and "eyJ" not in text:
        return text
    return _SECRET.sub(lambda found: _shown(found[0]), text)


def _shown(secret: str) -> str:
    before, key, _ = secret.rpartition("/")
    return f"{before}{key}{HIDDEN}"


class _Discreet(structlog.stdlib.ProcessorFormatter):
    """Renders events without secrets, tracebacks and records of other libraries included."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of an event."""
        return without_secrets(super().format(record))


def _hide(record: logging.LogRecord) -> bool:
    # The formatter of the server unpacks the arguments, so they have to stay what they are.
    if isinstance(record.args, tuple):
        record.args = tuple(without_secrets(one) if isinstance(one, str) else one for one in record.args)
    return True


def hide_secrets_of_server() -> None:
    """Let the HTTP server write no secrets, whoever started it and configured its log."""
    for name in SERVER:
        logging.getLogger(name).addFilter(_hide)


class bound:  # noqa: N801  # it is called as a function is
    """Let every event in the block, and in the tasks and threads that it starts, carry these fields."""

    # One variable for all fields, and no generator: this is done for every order and every request.
    __slots__ = ("_added", "_token")

    def __init__(self, **fields: object) -> None:
        self._added = fields

    def __enter__(self) -> None:
        self._token = _fields.set({**_fields.get(), **self._added})

    def __exit__(self, *_error: object) -> None:
        _fields.reset(self._token)


def merge_bound(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Add the fields of the blocks around an event to it, as a processor."""
    return {**_fields.get(), **event}


def configure(*, json: bool | None = None, level: str = "INFO") -> None:
    """Send every log event of the process from ``level`` on, and all records, to standard error.

    Events are JSON lines unless standard error is a terminal, or as ``json`` says. Records of other
    libraries pass through the same renderer. Calling it again replaces the former configuration.
    """
    as_json = not sys.stderr.isatty() if json is None else json
    shared: list[Processor] = [
        merge_bound,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Discreet(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderer(as_json)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.getLogger(RECORDS).setLevel(logging.INFO)


def _renderer(as_json: bool) -> list[Processor]:
    if as_json:
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [_for_eyes(colors=sys.stderr.isatty())]


def _for_eyes(*, colors: bool) -> Processor:
    # The usual tracebacks show the local variables of every frame: one of a request took half a minute.
    return structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)


if not structlog.is_configured():  # as in a process that imports the application without our commands
    structlog.configure(
        processors=[
            merge_bound,
            structlog.processors.add_log_level,
            structlog.processors.StackInfoRenderer(),
            structlog.dev.set_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _for_eyes(colors=False),
        ]
    )
