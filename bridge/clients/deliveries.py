"""Webhooks out: one signed call, to where it may go, that ends in time.

By libcurl and not requests, for two promises that requests cannot give: a time limit on the whole call, from the
look-up of the name to the last byte; and a look at the very address that is connected to, so that a name which
changes its address between the look and the call gains nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import certifi
import pycurl
from standardwebhooks import Webhook

from bridge.errors import BridgeError
from bridge.rules.addresses import is_public

CONNECT_MILLISECONDS = 3000
WHOLE_MILLISECONDS = 10_000
ANSWER_BYTES = 2048  # Read and kept of an answer: enough for the sentence that says what is wrong.


class WebhookUnreachable(BridgeError):
    """The receiver cannot be reached."""

    code = "webhook_unreachable"


class WebhookTooSlow(BridgeError):
    """The receiver did not answer in time."""

    code = "webhook_too_slow"


class WebhookAddressRefused(BridgeError):
    """The receiver's address is private: see WEBHOOKS_ALLOW_PRIVATE."""

    code = "webhook_address_refused"


@dataclass(slots=True)
class Answer:
    """What the receiver said: a status, the beginning of its text, how many seconds it asks to be left alone."""

    status: int = 0
    text: str = ""
    retry_after: float | None = None
    seconds: float = 0.0


@dataclass(slots=True)
class _Call:
    """What libcurl tells of a call while it goes on."""

    allow_private: bool
    read: bytearray = field(default_factory=bytearray)
    retry_after: str | None = None
    refused: list[str] = field(default_factory=list)

    def open_socket(self, _purpose: int, wanted: Any) -> Any:
        family, kind, protocol, address = wanted
        if not self.allow_private and not (family in {socket.AF_INET, socket.AF_INET6} and is_public(address[0])):
            self.refused.append(str(address[0]))
            return pycurl.SOCKET_BAD
        return socket.socket(family, kind, protocol)

    def take_header(self, line: bytes) -> None:
        name, _, value = line.decode("latin-1").partition(":")
        if name.strip().lower() == "retry-after":
            self.retry_after = value.strip()

    def take_body(self, piece: bytes) -> int:
        self.read += piece[: ANSWER_BYTES - len(self.read)]
        # Taking less than was given ends the call: nobody needs the rest.
        return len(piece) if len(self.read) < ANSWER_BYTES else 0


def sign(body: bytes, *, webhook_id: str, secrets: Sequence[str]) -> dict[str, str]:
    """The headers of a Standard Webhook of this moment, signed with each of `secrets`."""
    now = datetime.now(UTC)
    signatures = [Webhook(secret).sign(webhook_id, now, body.decode()) for secret in secrets]
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def post(url: str, *, headers: Mapping[str, str], body: bytes, allow_private: bool) -> Answer:
    """Send `body` as JSON. Redirects are not followed, nor answers read beyond ANSWER_BYTES.

    Raises WebhookUnreachable, WebhookTooSlow, WebhookAddressRefused.
    """
    call = _Call(allow_private)
    curl = pycurl.Curl()
    try:
        _prepare(curl, call, url, headers, body)
        curl.perform()
    except pycurl.error as error:
        number, message = int(error.args[0]), curl.errstr()
        # An answer that is longer than we read is an answer.
        if number != pycurl.E_WRITE_ERROR or len(call.read) < ANSWER_BYTES:
            raise _explain(number, message, call) from error
    finally:
        status, seconds = curl.getinfo(pycurl.RESPONSE_CODE), curl.getinfo(pycurl.TOTAL_TIME)
        curl.close()
    text = bytes(call.read).decode(errors="replace").replace("\0", "")
    return Answer(status=status, text=text, retry_after=_seconds(call.retry_after), seconds=seconds)


def _prepare(curl: pycurl.Curl, call: _Call, url: str, headers: Mapping[str, str], body: bytes) -> None:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    options = {
        pycurl.URL: url,
        # Plain HTTP goes no further than to where private addresses are.
        pycurl.PROTOCOLS: pycurl.PROTO_HTTPS | (pycurl.PROTO_HTTP if call.allow_private else 0),
        pycurl.POSTFIELDS: body,
        pycurl.HTTPHEADER: [*lines, "Content-Type: application/json", "User-Agent: booking-bridge", "Expect:"],
        pycurl.CONNECTTIMEOUT_MS: CONNECT_MILLISECONDS,
        pycurl.TIMEOUT_MS: WHOLE_MILLISECONDS,
        pycurl.NOSIGNAL: 1,  # Many calls at once, each in a thread.
        pycurl.PROXY: "",  # A proxy of the environment would connect to what we did not look at.
        pycurl.FOLLOWLOCATION: 0,
        pycurl.CAINFO: certifi.where(),
        pycurl.OPENSOCKETFUNCTION: call.open_socket,
        pycurl.HEADERFUNCTION: call.take_header,
        pycurl.WRITEFUNCTION: call.take_body,
    }
    for option, value in options.items():
        curl.setopt(option, value)


def _explain(number: int, message: str, call: _Call) -> BridgeError:
    if number == pycurl.E_OPERATION_TIMEDOUT:
        return WebhookTooSlow(f"It did not answer in time: {message}.")
    if call.refused:
        return WebhookAddressRefused(f"Its address is private or otherwise no place for webhooks: {call.refused[0]}.")
    return WebhookUnreachable(f"It cannot be reached: {message}.")


def _seconds(retry_after: str | None) -> float | None:
    """A Retry-After in seconds, of which there are two forms; None when it is neither."""
    if retry_after is None:
        return None
    if retry_after.isdecimal() and len(retry_after) < 10:
        return float(retry_after)
    try:
        at = parsedate_to_datetime(retry_after)
        return max(0.0, (at - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # The latter where it names no zone.
        return None
