"""One message to one destination, by the library Apprise; addresses come from the environment when it is sent."""

from __future__ import annotations

import os
from functools import partial

from odpipeline.declaration.alerts import is_mail
from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError

_LOG_LEVEL = 30  # warnings


class Undelivered(OdpError):
    """A destination did not take a message. `details` is what Apprise logged: for a person's terminal only."""

    details = ""


def send(town: Town, destination: str, title: str, body: str) -> None:
    """Send plain text to `destination`, a channel's name or a mail address; it has been taken when this returns.

    Raises: Undelivered.
    """
    import apprise  # a fifth of a second: only where something is sent

    declared = town.alerts.mail if is_mail(destination) else town.alerts.channels[destination].url
    undelivered = partial(Undelivered, where=f"alerts, {destination}")
    if declared is None or not (address := os.environ.get(declared.env, "").strip()):
        name = declared.env if declared else "alerts.mail"
        raise undelivered(f"the address of the channel is not set ({name})", mend="set it where the service runs")
    with apprise.LogCapture(level=_LOG_LEVEL) as log:  # type: ignore[no-untyped-call]
        plugin = apprise.Apprise.instantiate(address)
        if plugin is None or (is_mail(destination) and not hasattr(plugin, "from_addr")):
            kind = "a mail address" if is_mail(destination) else "an address"
            raise undelivered(
                f"${declared.env} is not {kind} that Apprise knows",
                mend="see https://appriseit.com for the form of its addresses",
            )
        if is_mail(destination):
            plugin.targets = [(False, destination)]  # type: ignore[attr-defined]  # as every mail plugin has
        plugin.notify_format = apprise.NotifyFormat.TEXT
        way = apprise.Apprise()
        way.add(plugin)
        try:
            taken = bool(way.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT))
        except Exception as raised:  # noqa: BLE001  # whatever a channel's code does, the message is tried again
            taken, said = False, type(raised).__name__
        else:
            said = log.getvalue()
    if not taken:
        error = undelivered("the channel did not take the message", mend="see what it says: odp alert test")
        error.details = said.strip()
        raise error


__all__ = ["Undelivered", "send"]
