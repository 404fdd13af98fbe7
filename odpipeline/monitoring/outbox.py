"""Messages on their way: each is sent until its channel has taken it, or the next channel has.

A message is taken before it is sent and noted as sent afterwards. When the process dies in between, it is sent once
more two minutes later: twice is better than never.
"""

from __future__ import annotations

import time
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
_LONGEST = timedelta(days=3)
"""How long a message is tried."""


def deliver(records: Records, town: Town, now: datetime, seconds: float) -> int:
    """Send what is due, for at most about `seconds`; how many messages were taken by their channels.

    A channel that fails is left alone for the rest of the round, and a sign is left of it once it has failed twice.
    """
    ends, sent = time.monotonic() + seconds, 0
    failed: set[str] = set()
    worked: set[str] = set()
    while time.monotonic() < ends and (message := records.take(now, _LEASE)):
        way = MAIL if is_mail(message.destination) else message.destination
        if not reachable(message.destination, town):  # its channel is declared no more
            records.ended(message, DROPPED, now)
            continue
        if way in failed:
            records.again(message, now + _pause(message))
            continue
        try:
            channels.send(town, message.destination, message.title, message.body)
        except channels.Undelivered as error:
            failed.add(way)
            _undelivered(records, message, town, now)
            if message.attempts >= _HAND_ON:
                what = f"messages by {way} are not taken: {error.what}"
                records.sign(f"channel:{way}", Cause.CHANNEL, what, now)
        else:
            records.ended(message, SENT, datetime.now(UTC))
            worked.add(way)
            sent += 1
    for way in worked - failed:
        records.sign(f"channel:{way}", Cause.CHANNEL, None, now)
    return sent


def _undelivered(records: Records, message: Message, town: Town, now: datetime) -> None:
    other = following(message.destination, town)
    if other and message.attempts >= _HAND_ON:
        told = f"{message.body}\n({message.destination} could not be reached.)\n"
        records.queue([replace(message, token=f"{message.token}>{other}", destination=other, body=told, made_at=now)])
        records.ended(message, HANDED_ON, now)
    elif message.made_at and now - message.made_at > _LONGEST:
        records.ended(message, DROPPED, now)
    else:
        records.again(message, now + _pause(message))


def _pause(message: Message) -> timedelta:
    return _PAUSES[min(message.attempts, len(_PAUSES)) - 1]


__all__ = ["deliver"]
