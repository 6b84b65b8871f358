"""Structured logs of a process; each line carries the id of its trace."""

import logging
import os
import sys

import stamina
import structlog
from structlog.typing import EventDict, WrappedLogger

from shared.observability.tracing import read_trace_id
from shared.settings import ServiceSettings

log = structlog.get_logger()


def _add_trace_id(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    if trace_id := read_trace_id():
        event["trace_id"] = trace_id
    return event


def configure_logging(settings: ServiceSettings) -> None:
    console = settings.log_format == "console"
    steps: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace_id,
    ]
    if not console:
        steps.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*steps, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer = (
        # The default prints local variables of each frame, which can hold personal data.
        structlog.dev.ConsoleRenderer(
            colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        if console
        else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=steps,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    # In a broker outage it writes about fifty lines a second; /readyz and the lag report it too.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    for package in ("shared", settings.name):
        logging.getLogger(package).setLevel(settings.log_level)
    structlog.contextvars.bind_contextvars(service=settings.name, process=os.getpid())
    stamina.instrumentation.set_on_retry_hooks([_log_retry])


def _log_retry(details: stamina.instrumentation.RetryDetails) -> None:
    """Replace stamina's own line, which repeats the arguments and the text of the error."""
    log.warning(
        "waiting_out",
        what=details.name,
        error=type(details.caused_by).__name__,
        seconds=round(details.wait_for, 2),
        attempt=details.retry_num,
    )
