"""What is seen of every request: its id, one log line, its metrics."""

from __future__ import annotations

import re
import time
from functools import cache
from secrets import token_hex

from flask import Flask, Response, g, request
from prometheus_client import Counter, Histogram
from structlog.contextvars import bind_contextvars, clear_contextvars

from bridge import logs
from bridge.errors import BlackedOut, BridgeError, InsufficientCapacity, SlotCancelled

REQUESTS = Counter("bridge_http_requests_total", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram(
    "bridge_http_request_seconds",
    "Time to answer.",
    ["route"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 3, 10),
)
# By the names that clients of the tours' calendar know.
CONFLICTS = Counter("booking_conflicts_total", "Bookings refused: the departure is not to be had any more.")
TOO_FEW = Counter("capacity_errors_total", "Bookings refused: not so many seats are left.")
_BOOKING_ROUTES = ("/api/calendar/bookings", "/manage/")
# What a caller makes up is counted as one: each new label value is kept for as long as the process lives.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,80}")


def register(app: Flask) -> None:
    """Watch every request of the application."""
    app.before_request(_begin)
    app.after_request(_end)


def count_refusal(error: BridgeError) -> None:
    """Count a booking of a tour that was refused. One that is sold out is both a conflict and too few seats."""
    if not (request.url_rule and request.url_rule.rule.startswith(_BOOKING_ROUTES)):
        return
    is_too_few = isinstance(error, InsufficientCapacity)
    if is_too_few:
        TOO_FEW.inc()
    if isinstance(error, SlotCancelled | BlackedOut) or (is_too_few and error.details.get("available") == 0):
        CONFLICTS.inc()


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _SANE_ID.fullmatch(given) else token_hex(16)
    g.started = time.perf_counter()
    clear_contextvars()
    bind_contextvars(request_id=g.request_id)


def _end(response: Response) -> Response:
    rule, method, status, request_id = request.url_rule, request.method, response.status_code, g.request_id
    route = rule.rule if rule else "unknown"
    seconds = time.perf_counter() - g.started
    _requests(method if method in _METHODS else "other", route, status).inc()
    _seconds(route).observe(seconds)
    response.headers["X-Request-Id"] = request_id
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store")
    logs.log_request(
        method=method, path=request.path, status=status, ms=round(seconds * 1000, 1), request_id=request_id
    )
    return response


@cache
def _requests(method: str, route: str, status: int) -> Counter:
    # The library looks a child up under a lock and by strings made anew each time.
    return REQUESTS.labels(method, route, status)


@cache
def _seconds(route: str) -> Histogram:
    return SECONDS.labels(route)
