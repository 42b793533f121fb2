"""Log events: short constant phrases with fields, as JSON lines or for eyes."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

RECORDS = "armillary.record"
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


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Let every event in the block, and in the tasks and threads that it starts, carry these fields."""
    # One variable for all fields: this is done for every order and every request.
    token = _fields.set({**_fields.get(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)


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
        structlog.stdlib.ProcessorFormatter(
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
