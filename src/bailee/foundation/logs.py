"""Diagnostics as JSON lines: who wrote it, what happened, never what a customer stored."""

import logging
import logging.handlers
import re
import sys
from pathlib import Path
from typing import Any

import structlog

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f]")


def visible(text: str, limit: int = 500) -> str:
    """Text made safe for a log line or a terminal: controls, line ends and bidi marks are escaped."""
    return _CONTROL.sub(lambda match: f"\\u{ord(match.group()):04x}", text[:limit])


def _safe(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {key: visible(value) if isinstance(value, str) else value for key, value in event.items()}


def configure_logs(process: str, level: str, directory: Path | None = None) -> None:
    """Sends structlog and the libraries' logging through one formatter to stderr, and to a rotating file.

    Exceptions are logged by type and place, not by message: a driver's message can quote a value.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.contextvars.merge_contextvars,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _trace_without_values,
            _safe,
            structlog.processors.JSONRenderer(),
        ],
    )
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if directory is not None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        handlers.append(
            logging.handlers.RotatingFileHandler(directory / f"{process}.log", maxBytes=10_000_000, backupCount=5)
        )
        handlers[0].setLevel(logging.WARNING)
    for handler in handlers:
        handler.setFormatter(formatter)
    logging.basicConfig(handlers=handlers, level=level.upper(), force=True)
    for noisy in ("httpx", "httpx2", "httpcore", "httpcore2", "procrastinate", "psycopg.pool"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _trace_without_values(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    info: Any = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["error"] = type(error).__qualname__
        trace = error.__traceback__
        frames = []
        while trace is not None:
            frames.append(f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}")
            trace = trace.tb_next
        event["trace"] = frames[-12:]
    return event
