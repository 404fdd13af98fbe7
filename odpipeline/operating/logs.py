"""Logs as JSON lines on standard error, for whoever collects them: `ODP_LOG=json`, or `odp run --log json`."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime

from odpipeline.errors import OdpError

LOGGER = logging.getLogger("odpipeline")
"""Above those of the flow, of the watch and of lineage."""
VARIABLE = "ODP_LOG"


_LEVELS = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warning", logging.ERROR: "error",
           logging.CRITICAL: "critical"}  # fmt: skip
"""Their own names: other libraries colour those of `logging` for terminals."""


class JsonLines(logging.Formatter):
    """One JSON object a line: `time` (UTC), `level`, `event`, then the record's `facts`."""

    def format(self, record: logging.LogRecord) -> str:
        """`record` as one line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        said = {"time": time, "level": _LEVELS.get(record.levelno, str(record.levelno)), "event": record.getMessage()}
        return json.dumps(said | getattr(record, "facts", {}), ensure_ascii=False, default=str)


def configure(form: str | None = None) -> None:
    """Let our records go to standard error as `form` says, by default as the environment does; once a process.

    Raises: OdpError for a form that is not known.
    """
    form = form or os.environ.get(VARIABLE, "")
    if form not in ("", "json"):
        raise OdpError(f"there are no logs in the form {form!r}", where=VARIABLE, mend="say json, or nothing for none")
    LOGGER.handlers = [handler for handler in LOGGER.handlers if not isinstance(handler.formatter, JsonLines)]
    LOGGER.propagate = not form
    if form:
        handler = logging.StreamHandler()
        handler.setFormatter(JsonLines())
        LOGGER.addHandler(handler)
        LOGGER.setLevel(logging.INFO)
