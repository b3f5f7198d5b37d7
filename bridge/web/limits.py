"""How often one caller may write: rules of the `limits` library, a share of each in every process."""

from __future__ import annotations

import math
import threading
import time

from flask import Flask, current_app, request
from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage

from bridge.config import Config
from bridge.errors import TooManyRequests

# A shop's own server may place every customer's hold from one address, so addresses are given a lot of room; one
# customer is not. Sign-in is slow on purpose: it is the only place where a secret can be guessed.
DEFAULTS = {"address": "600/minute", "email": "120/minute", "sign_in": "10/minute;100/hour"}
# How often what has expired is forgotten. Until then it costs memory only: nobody is counted by it.
_FORGET_SECONDS = 10.0


class Limits:
    """The limits of one application."""

    def __init__(self, config: Config) -> None:
        self._counters = _Counters()
        self._items = {
            # Each process counts for itself, so each lets its share through.
            name: [_share(item, config.web_processes) for item in _parse(name, config.rate_limits)]
            for name in DEFAULTS
        }

    def hit(self, name: str, who: str) -> None:
        """Count one request of `who`. Raises TooManyRequests when that is too many."""
        for item in self._items[name]:
            # A fixed window, as the library's own class has it.
            if self._counters.incr(item.key_for(name, who), item.get_expiry()) > item.amount:
                raise TooManyRequests(retry_after=item.get_expiry())


class _Counters(MemoryStorage):
    """Counters that are swept by whoever counts, now and then.

    The library's own are swept by threads started a hundred times a second, in the middle of the requests.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._forget_at = 0.0

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count `amount` more under `key`, in a window that lasts `expiry` seconds from its first count."""
        now = time.time()
        with self._lock:
            if now >= self._forget_at:
                self._forget(now)
            if self.expirations.get(key, 0.0) <= now:
                self.storage[key] = 0
                self.expirations[key] = now + expiry
            self.storage[key] += amount
            return self.storage[key]

    def _forget(self, now: float) -> None:
        for key in [key for key, expires_at in self.expirations.items() if expires_at <= now]:
            del self.storage[key], self.expirations[key]
        self._forget_at = now + _FORGET_SECONDS


def register(app: Flask, config: Config) -> None:
    """Give the application its limits."""
    app.extensions["bridge_limits"] = Limits(config)


def limit(name: str, who: str) -> None:
    """Count one request of `who` under the limit `name`. Raises TooManyRequests."""
    limits: Limits = current_app.extensions["bridge_limits"]
    limits.hit(name, who)


def limit_writes() -> None:
    """Count a write by its address; reading is free."""
    if request.method not in {"GET", "HEAD", "OPTIONS"}:
        limit("address", request.remote_addr or "")


def _parse(name: str, setting: str) -> list[RateLimitItem]:
    if setting.lower() == "off":
        # Guessing passwords stays slow even where load is tested.
        return parse_many(DEFAULTS[name]) if name == "sign_in" else []
    if setting.lower() == "on" or name == "sign_in":
        return parse_many(DEFAULTS[name])
    return parse_many(setting)


def _share(item: RateLimitItem, processes: int) -> RateLimitItem:
    return type(item)(math.ceil(item.amount / processes), item.multiples, item.namespace)
