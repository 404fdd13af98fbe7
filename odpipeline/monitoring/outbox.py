"""Messages on their way: each is sent until its channel has taken it, or the next channel has.

A message is taken before it is sent and noted as sent afterwards. When the process dies in between, it is sent once
more two minutes later: twice is better than never.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from odpipeline.declaration.alerts import MAIL, is_mail
from odpipeline.declaration.town import Town
from odpipeline.monitoring import channels
from odpipeline.monitoring.problems import Cause
from odpipeline.monitoring.records import DROPPED, HANDED_ON, SENT, Message, Records
from odpipeline.monitoring.routing import following, reachable

_LEASE = timedelta(minutes=2)
_PAUSES = tuple(timedelta(minutes=n) for n in (1, 2, 5, 10, 15))
"""How long after the nth attempt the next one is due; the last for all that follow."""
_HAND_ON = 2
"""After so many attempts the next channel takes over, where there is one."""
_DOWN = 2
"""So many destinations of one way have to fail before the others are not tried."""
_LONGEST = timedelta(days=3)
"""How long a message is tried."""


def deliver(records: Records, town: Town, now: datetime, seconds: float) -> int:
    """Send what is due, for at most about `seconds`; how many messages were taken by their channels.

    A channel that fails is left alone for the rest of the round, and a sign is left of it once it has failed twice. One
    address that is refused is not the whole of mail: a second one has to fail before any was taken.
    """
    ends, sent = time.monotonic() + seconds, 0
    failed: dict[str, set[str]] = defaultdict(set)
    worked: set[str] = set()
    while time.monotonic() < ends and (message := records.take(now, _LEASE)):
        way = _way(message)
        if not reachable(message.destination, town):  # its channel is declared no more
            records.ended(message, DROPPED, now)
            continue
        if message.destination in failed[way] or (way not in worked and len(failed[way]) >= _DOWN):
            _undelivered(records, message, town, now, tried=False)
            continue
        try:
            channels.send(town, message.destination, message.title, message.body)
        except channels.Undelivered as error:
            failed[way].add(message.destination)
            _undelivered(records, message, town, now)
            if message.attempts >= _HAND_ON:
                what = f"messages to {message.destination} are not taken: {error.what}"
                records.sign(f"channel:{way}", Cause.CHANNEL, what, now)
        else:
            records.ended(message, SENT, datetime.now(UTC))
            worked.add(way)
            sent += 1
    stuck = {_way(message) for message in records.waiting() if message.attempts >= _HAND_ON}
    for way in worked - stuck - {way for way, refused in failed.items() if refused}:
        records.sign(f"channel:{way}", Cause.CHANNEL, None, now)
    return sent


def _way(message: Message) -> str:
    return MAIL if is_mail(message.destination) else message.destination


def _undelivered(records: Records, message: Message, town: Town, now: datetime, *, tried: bool = True) -> None:
    """Give it to the next channel, or try it again: sooner when it was only left alone, so that whatever held it up
    is not due beside it each time."""
    other = following(message.destination, town)
    if other and message.attempts >= _HAND_ON:
        told = f"{message.body}\n({message.destination} could not be reached.)\n"
        records.queue([replace(message, token=f"{message.token}>{other}", destination=other, body=told, made_at=now)])
        records.ended(message, HANDED_ON, now)
    elif tried and message.made_at and now - message.made_at > _LONGEST:
        records.ended(message, DROPPED, now)
    else:
        sooner = timedelta() if tried else min(_pause(message) - _PAUSES[0], _PAUSES[0])
        records.again(message, now + _pause(message) - sooner)


def _pause(message: Message) -> timedelta:
    return _PAUSES[min(message.attempts, len(_PAUSES)) - 1]


__all__ = ["deliver"]
