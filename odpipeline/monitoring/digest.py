"""The morning's message: what the night did, what is open. That it comes proves that messages come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from odpipeline.declaration.town import Town
from odpipeline.flow import Zones
from odpipeline.freshness import spoken
from odpipeline.monitoring.incidents import Incident
from odpipeline.monitoring.problems import KINDS, Cause
from odpipeline.monitoring.records import Message
from odpipeline.monitoring.routing import engineers
from odpipeline.monitoring.texts import plain

_DAY = timedelta(days=1)
_MOST = 30
_WORDS = {"published": "new versions", "unchanged": "unchanged", "refused": "refused", "held": "waiting for a yes",
          "failed": "failed"}  # fmt: skip


def due(town: Town, last: datetime | None, now: datetime) -> bool:
    """Whether today's message is due at `now` and the `last` one is of another day, be it of a clock that was ahead."""
    local = now.astimezone(ZoneInfo(town.timezone))
    if local.time() < time.fromisoformat(town.alerts.digest):
        return False
    return last is None or last.astimezone(local.tzinfo).date() != local.date()


def messages(town: Town, zones: Zones, opened: Sequence[Incident], now: datetime) -> list[Message]:
    """Today's message for each destination of engineers."""
    day = now.astimezone(ZoneInfo(town.timezone)).date()
    runs = zones.journal.since(now - _DAY)
    counted = Counter(run.outcome for run in runs)
    silent = len(town.datasets) - len({run.dataset for run in runs} & {dataset.id for dataset in town.datasets})
    told = [f"{count} {_WORDS.get(outcome, outcome)}" for outcome, count in sorted(counted.items())]
    lines = [f"The last 24 hours: {', '.join(told) or 'nothing ran'}; {silent} datasets did not run.", ""]
    late = sum(incident.problem.cause in (Cause.STALE, Cause.UNCHECKED) for incident in opened)
    lines.append(f"Open incidents: {len(opened)}, of which {late} of data older than promised." if opened
                 else "No incident is open.")  # fmt: skip
    lines += [f"- {_one(incident, now)}" for incident in opened[:_MOST]]
    lines += [f"- and {len(opened) - _MOST} others: odp incidents"] if len(opened) > _MOST else []
    lines += ["", "This message comes every morning. If it does not, nobody is watching: odp doctor"]
    well = f"{len(opened)} open" if opened else "all is well"
    title = f"[odp {town.publisher.name}] {day}: {well}"
    return [Message(f"digest/{day}/{to}", to, plain(title), "\n".join(lines) + "\n", "digest", made_at=now)
            for to in engineers(town)]  # fmt: skip


def _one(incident: Incident, now: datetime) -> str:
    looked_after = f", {incident.acknowledged_by} looks after it" if incident.acknowledged_by else ""
    problem = incident.problem
    return f"{problem.name}: {KINDS[problem.cause].title}, for {spoken(now - problem.since)}{looked_after}"


__all__ = ["due", "messages"]
