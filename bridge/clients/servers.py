"""How somebody else's server is asked for JSON, so that every call ends in time and says how it ended."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_any,
    stop_before_delay,
    wait_random_exponential,
)
from tenacity.stop import stop_base

from bridge.errors import PlatformRefused, PlatformUnavailable

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
# For one call with all its tries, unless the caller has less time: a task may make two, and its lease is 90 s.
DEADLINE_SECONDS = 30.0
TRIES = 4
MAX_WAIT_SECONDS = 20.0  # A longer Retry-After is left to the back-off of the row that asked.
MAX_ANSWER_BYTES = 5 * 1024 * 1024
MAX_MESSAGE_LENGTH = 300

# "Not now", said before anything was done: timed out while still listening, too early, too many.
BUSY_STATUSES = frozenset({408, 425, 429})
_SUCCESS, _REDIRECT, _SERVER_ERROR = 2, 3, 5  # Hundreds.

# Full jitter: up to 0.5, 1, 2 … seconds.
_BACK_OFF = wait_random_exponential(multiplier=0.5, max=8)
_NEVER_CONNECTED = (urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.NewConnectionError)

Json = dict[str, Any]


class _PassingError(Exception):
    """One try failed in a way that may pass; `wait_seconds` is what the server asked for."""

    def __init__(self, reason: str, *, wait_seconds: float = 0.0) -> None:
        self.wait_seconds = wait_seconds
        super().__init__(reason)


class _NotTakenError(_PassingError):
    """The same, and the server certainly did not act on the request."""


class JsonServer:
    """A server that answers with JSON objects, over one session. Not shared between threads.

    Raises PlatformRefused (`details["status"]`) when asking again would not help, and PlatformUnavailable when it may,
    after `retry_after` seconds. The options of a call are those of `requests`.
    """

    def __init__(
        self,
        url: str,
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = url.rstrip("/")
        self._deadline_seconds = deadline_seconds
        self._sleep = sleep
        self._session = requests.Session()
        self._session.headers["accept"] = "application/json"
        # Each call brings its own credentials; a session cookie could only confuse them.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def get(self, path: str, **options: Any) -> Json:
        """Ask until there is an answer or it is time to give up."""
        return self._repeat(_PassingError, 0, "GET", path, **options)

    def post_once(self, path: str, *, settles_seconds: int, **options: Any) -> Json:
        """Have something done that must not be done twice: repeated only when it certainly was not done.

        When that is not certain, PlatformUnavailable asks to wait `settles_seconds` before looking.
        """
        return self._repeat(_NotTakenError, settles_seconds, "POST", path, **options)

    def ping(self, path: str) -> None:
        """Ask once, for any good answer."""
        try:
            self._send("GET", path, deadline=time.monotonic() + READ_SECONDS)
        except _PassingError as error:
            raise PlatformUnavailable(str(error)) from error

    def _repeat(self, when: type[_PassingError], settles_seconds: int, method: str, path: str, **options: Any) -> Json:
        deadline = time.monotonic() + self._deadline_seconds
        retrying = Retrying(
            retry=retry_if_exception_type(when),
            stop=stop_any(stop_after_attempt(TRIES), stop_before_delay(self._deadline_seconds), _StopIfAskedTooLong()),
            wait=_wait,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(self._ask, method, path, deadline=deadline, **options)
        except _PassingError as error:
            settled = 0 if isinstance(error, _NotTakenError) else settles_seconds
            retry_after = max(math.ceil(error.wait_seconds), settled, 2)
            raise PlatformUnavailable(str(error), retry_after=retry_after) from error

    def _ask(self, method: str, path: str, **options: Any) -> Json:
        answer = _find_object(self._send(method, path, **options))
        if answer is None:
            raise _PassingError("The platform's answer is not a JSON object.")
        return answer

    def _send(self, method: str, path: str, *, deadline: float, **options: Any) -> bytes:
        left = max(0.1, deadline - time.monotonic())
        timeout = (min(CONNECT_SECONDS, left), min(READ_SECONDS, left))
        # Redirects are not followed: the key goes to the server that was configured and to no other.
        options |= {"timeout": timeout, "allow_redirects": False, "stream": True}
        try:
            with self._session.request(method, self._url + path, **options) as response:
                body = _read(response, deadline)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise _translated(error) from error
        _check(response, body)
        return body


def _read(response: requests.Response, deadline: float) -> bytes:
    # By read1, which returns what has arrived: waiting for whole chunks, a trickle would outlast any deadline.
    body = bytearray()
    while piece := response.raw.read1(65536, decode_content=True):
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise PlatformUnavailable(f"The platform's answer is larger than {MAX_ANSWER_BYTES} bytes.")
        if time.monotonic() > deadline:
            raise _PassingError("The platform did not finish its answer in time.")
    return bytes(body)


def _check(response: requests.Response, body: bytes) -> None:
    status = response.status_code
    if status // 100 == _SUCCESS:
        return
    if status in BUSY_STATUSES:
        raise _NotTakenError(f"The platform is busy (status {status}).", wait_seconds=_asked_to_wait(response))
    if status // 100 == _SERVER_ERROR:
        raise _PassingError(f"The platform failed (status {status}).", wait_seconds=_asked_to_wait(response))
    if status // 100 == _REDIRECT:
        raise _PassingError(f"The platform redirects (status {status}); its URL in our settings may be out of date.")
    if status == HTTPStatus.NOT_FOUND and body and _find_object(body) is None:
        # A proxy that has lost its backend for a moment says 404 too, in its own words.
        raise _PassingError("Something in front of the platform answered (status 404).")
    raise PlatformRefused(f"The platform refused (status {status}): {_message(body)}", status=status)


def _find_object(body: bytes) -> Json | None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _message(body: bytes) -> str:
    message = (_find_object(body) or {}).get("message")
    return message[:MAX_MESSAGE_LENGTH] if isinstance(message, str) else "no reason given"


def _asked_to_wait(response: requests.Response) -> float:
    """The seconds of Retry-After, which may be a number or a date; 0 when it says nothing."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    # Without a zone (-0000) it is UTC all the same.
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _translated(error: Exception) -> _PassingError:
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    was_sent = not isinstance(error, requests.ConnectTimeout) and not isinstance(reason, _NEVER_CONNECTED)
    is_slow = isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError)
    # The kind of error alone: its text would carry the URL and what is in it.
    message = "did not answer in time" if is_slow else f"cannot be reached ({type(error).__name__})"
    return (_PassingError if was_sent else _NotTakenError)(f"The platform {message}.")


def _wait(state: RetryCallState) -> float:
    # The jitter comes on top of what was asked for, lest everybody who was turned away comes back at once.
    return _seconds_asked(state) + _BACK_OFF(state)


class _StopIfAskedTooLong(stop_base):
    def __call__(self, retry_state: RetryCallState) -> bool:
        return _seconds_asked(retry_state) > MAX_WAIT_SECONDS


def _seconds_asked(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return error.wait_seconds if isinstance(error, _PassingError) else 0.0
