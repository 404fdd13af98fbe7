"""A real SMTP server (aiosmtpd) that keeps what it is sent, and can be down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.servers import free_port


class Mailbox:
    """What was received, and how to stop receiving: `answer` is what the server says to a message.

    `refused` are the recipients that it does not know.
    """

    def __init__(self) -> None:
        self.received: list[tuple[str, EmailMessage]] = []
        self.answer = "250 OK"
        self.refused: set[str] = set()

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 5.1.1 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.answer.startswith("250"):
            content = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
            mail: Any = message_from_bytes(content, policy=policy.default)
            self.received += [(recipient, mail) for recipient in envelope.rcpt_tos]
        return self.answer

    def to(self, recipient: str) -> list[EmailMessage]:
        return [mail for address, mail in self.received if address == recipient]

    def subjects(self, recipient: str) -> list[str]:
        return [plain(str(mail["Subject"])) for mail in self.to(recipient)]

    def texts(self, recipient: str) -> list[str]:
        return [plain(mail.get_content()) for mail in self.to(recipient)]


def plain(text: str) -> str:
    """`text` with ordinary blanks for French ones."""
    return text.replace("\u00a0", " ").replace("\u202f", " ").replace("\r\n", "\n")


@contextmanager
def mail_server() -> Iterator[tuple[Mailbox, str]]:
    """A server on loopback, and the Apprise address that sends through it."""
    mailbox = Mailbox()
    port = free_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield mailbox, f"mailto://127.0.0.1:{port}?from=odp@ville.example&mode=insecure"
    finally:
        controller.stop()
