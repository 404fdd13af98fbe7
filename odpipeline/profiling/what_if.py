"""What another k, another suppression or another score would make of the last capture; nothing is published."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from odpipeline.declaration.dataset import Dataset, Privacy
from odpipeline.declaration.wording import worded
from odpipeline.errors import OdpError
from odpipeline.flow import Zones
from odpipeline.privacy import anonymise
from odpipeline.privacy.risk import Risk, risk
from odpipeline.profiling.rereading import reread
from odpipeline.verdict import Finding

KEYS = ("k", "suppression", "score")
"""What can be asked for otherwise."""


@dataclass(frozen=True)
class WhatIf:
    """What would be published of `rows_in` rows: `rows`, the risk they leave, the chosen levels, what would fail."""

    rows_in: int
    rows: int
    suppressed: int
    risk: Risk | None
    generalisation: Mapping[str, Any]
    findings: tuple[Finding, ...]


def what_if(dataset: Dataset, zones: Zones, changes: Mapping[str, str]) -> WhatIf:
    """Anonymise the last capture as `dataset` declares but for `changes` (`k`: `7`), in a folder of its own.

    Raises: OdpError when a change is none, no capture is kept, or it cannot be read or anonymised.
    """
    changed = _changed(dataset, changes)
    with closing(reread(changed, zones, 1)) as captures:
        one = next(captures)
        if one.rows is None:
            raise OdpError(one.why)
        folder: Path = one.rows.parquet.parent
        found = anonymise(one.rows.parquet, changed, folder, zones.duck, salt="what-if")
        failed = tuple(finding for finding in found.findings if not finding.passed)
        left = risk(found.parquet, changed, zones.duck) if found.rows else None
        levels = found.choice.summary() if found.choice else {}
        return WhatIf(one.rows.rows, found.rows, found.suppressed, left, levels, failed)


def _changed(dataset: Dataset, changes: Mapping[str, str]) -> Dataset:
    for key in changes:
        if key not in KEYS:
            raise OdpError(f"--what-if knows no {key!r}", mend=f"ask for one of: {', '.join(KEYS)}, such as k=7")
    said = {key: int(value) if value.isdigit() else value for key, value in changes.items()}
    try:
        read = Privacy.model_validate(said)
    except ValidationError as error:
        told = "; ".join(what for _, what in worded(error, Privacy, said, "privacy"))
        raise OdpError(told, mend="correct what --what-if asks for") from None
    privacy = dataset.privacy.model_copy(update={key: getattr(read, key) for key in changes})
    return dataset.model_copy(update={"privacy": privacy})
