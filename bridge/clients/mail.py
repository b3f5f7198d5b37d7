"""Mail out, by SMTP: one message a call, which ends in time."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from typing import Self
from urllib.parse import unquote, urlsplit

from bridge.errors import BridgeError, InvalidSetting, Unavailable

TIMEOUT_SECONDS = 10  # For each step of the conversation; there are about seven.
DEFAULT_PORTS = {"smtp": 587, "smtps": 465}
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class MailUnavailable(Unavailable):
    """The mail server cannot be reached, or asks to try again later."""

    code = "mail_unavailable"


class MailRefused(BridgeError):
    """The mail server will not take this message."""

    code = "mail_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where SMTP_URL points: smtp:// encrypts when the server can (STARTTLS), smtps:// from the first byte."""

    scheme: str
    host: str
    port: int
    user: str
    password: str

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Read SMTP_URL. Raises InvalidSetting."""
        parts = urlsplit(url)
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            raise InvalidSetting("SMTP_URL: it must look like smtp://user:password@host:587 or smtps://…")
        return cls(
            scheme=parts.scheme,
            host=parts.hostname,
            port=parts.port or DEFAULT_PORTS[parts.scheme],
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
        )

    def send(self, message: EmailMessage) -> None:
        """Hand a message over. Raises MailUnavailable (it may work later) or MailRefused (it will not).

        A connection that breaks after the last byte leaves open whether it was taken: then it may be sent twice, under
        one Message-ID.
        """
        try:
            with self._connect() as smtp:
                self._greet(smtp)
                smtp.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            answers = [answer for answer, _text in error.recipients.values()]
            raise _verdict(max(answers, default=550), "refused the recipient") from error
        except smtplib.SMTPResponseException as error:
            raise _verdict(error.smtp_code, _decode(error.smtp_error)) from error
        except (smtplib.SMTPException, OSError) as error:
            raise MailUnavailable(f"The mail server cannot be used: {error}") from error

    def _connect(self) -> smtplib.SMTP:
        if self.scheme == "smtps":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT_SECONDS, context=context)
        return smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_SECONDS)

    def _greet(self, smtp: smtplib.SMTP) -> None:
        smtp.ehlo()
        if self.scheme == "smtp" and smtp.has_extn("starttls"):
            smtp.starttls(context=ssl.create_default_context())
            smtp.ehlo()
        elif self.scheme == "smtp" and self.user and self.host not in LOOPBACK:
            raise MailRefused("The mail server offers no encryption, so the password was not sent.")
        if self.user:
            smtp.login(self.user, self.password)


def make_message(
    *,
    sender: str,
    to: str,
    subject: str,
    text: str,
    html: str | None = None,
    ics: str | None = None,
    message_id: str,
) -> EmailMessage:
    """A message; the same `message_id` lets its reader's program drop a repetition. Raises MailRefused.

    `ics` is a calendar file to go with it.
    """
    message = EmailMessage()
    domain = sender.rpartition("@")[2].rstrip(">") or "localhost"
    try:
        message["From"], message["To"], message["Subject"] = sender, to, subject
        message["Date"], message["Message-ID"] = formatdate(), f"<{message_id}@{domain}>"
    except ValueError as error:  # A line break, by which an address or a name would add headers of its own.
        raise MailRefused(f"This cannot be written into a mail: {error}") from error
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    if ics is not None:
        message.add_attachment(ics, subtype="calendar", filename="booking.ics")
    return message


def _verdict(status: int, text: str) -> BridgeError:
    # RFC 5321, 4.2.1: 4yz may work later, 5yz will not.
    kind = MailUnavailable if 400 <= status < 500 else MailRefused
    return kind(f"The mail server answered {status}: {text}")


def _decode(text: bytes | str) -> str:
    return text.decode(errors="replace") if isinstance(text, bytes) else text
