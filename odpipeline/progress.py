"""What a run has reached, for machines that watch: one log record for each stage, and one for the end.

Records carry the run's and the dataset's identifiers, counts, hashes and outcomes in `facts`; never a value. They go to
the logger `odpipeline.flow`, which is silent until `operating.logs` or the host gives it a handler.
"""

from __future__ import annotations

import logging
import uuid
from typing import Any

from odpipeline.conform import Conformed
from odpipeline.journal import RunRecord
from odpipeline.landing import Capture
from odpipeline.privacy import Anonymised
from odpipeline.quality import QualityReport
from odpipeline.store import Release, Staged
from odpipeline.verdict import Verdict

LOGGER = logging.getLogger("odpipeline.flow")
LOGGER.addHandler(logging.NullHandler())  # else the bare words of a refusal and a failure reach standard error

_LEVELS = {"failed": logging.ERROR, "refused": logging.WARNING, "held": logging.WARNING}


class Progress:
    """One run of one dataset; `run` is the identifier of whoever started it, or one of its own."""

    def __init__(self, dataset: str, run: str = "") -> None:
        self._ids = {"dataset": dataset, "run": run or uuid.uuid4().hex}

    def reached(self, stage: object) -> None:
        """A stage has put something on disk."""
        self._say(logging.INFO, *_of_stage(stage))

    def ended(self, record: RunRecord) -> None:
        """The run is over and in the journal."""
        facts = {"outcome": record.outcome, "seconds": record.seconds, "rows_in": record.rows_in,
                 "quarantined": record.quarantined, "rows": record.published, "version": record.version,
                 "error": record.error, "reasons": list(record.reasons)}  # fmt: skip
        self._say(_LEVELS.get(record.outcome, logging.INFO), "ended", facts)

    def _say(self, level: int, event: str, facts: dict[str, Any]) -> None:
        said = self._ids | {key: value for key, value in facts.items() if value not in (None, [], "")}
        LOGGER.log(level, event, extra={"facts": said})


def _of_stage(stage: object) -> tuple[str, dict[str, Any]]:
    match stage:
        case Capture():
            return "captured", {"capture": stage.sha256, "bytes": stage.size_bytes, "unchanged": stage.unchanged}
        case Conformed():
            return "conformed", {"rows_in": stage.rows_in, "rows": stage.rows, "quarantined": stage.quarantined}
        case QualityReport():
            return "checked", {"findings": len(stage.findings), "failed": sum(not one.passed for one in stage.findings)}
        case Anonymised():
            return "anonymised", {"rows": stage.rows, "suppressed": stage.suppressed}
        case Staged():
            return "staged", {"rows": stage.rows, "content": stage.content_hash}
        case Verdict():
            return "judged", {"accepted": stage.accepted, "held": stage.held, "content": stage.content_hash}
        case Release():
            return "published", {"version": stage.version, "rows": stage.rows, "content": stage.content_hash}
        case _:
            return type(stage).__name__.lower(), {}
