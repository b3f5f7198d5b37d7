"""Every setting of the bridge: its name, its default, where its value came from."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from limits import parse_many

from bridge.errors import InvalidSetting

SECRETS_FILE = "secrets.json"  # What embedded mode generated; kept between starts.
SERVERS_FILE = "servers.json"  # Where the embedded servers listen, while they run.
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
BROKER_SCHEMES = ("amqp://", "amqps://", "redis://", "rediss://", "valkey://")
REQUIRED_BY_WEB = ("secret_key", "admin_api_key", "webhook_secrets")
_PREFIX = re.compile(r"[A-Z0-9]{1,10}")
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_MOST_AHEAD = 10_000  # Days, or hours: more than anybody means, and less than a date overflows at.
_PASSWORD = re.compile(r"(password=)('[^']*'|[^&\s]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting, read from the environment once. Nothing else reads the environment.

    A field is set by the variable of the same name in capitals. `*_minutes` take fractions (0.05 is 3 s).
    """

    host: str = "127.0.0.1"
    port: int = 8000
    bridge_data_dir: Path = Path("var")
    log_level: str = "info"
    public_url: str = ""  # Where customers reach us, for the links in mails; unset: http://HOST:PORT.

    # Unset: the embedded servers under `bridge_data_dir` (see bridge/embedded.py).
    database_url: str = ""
    broker_url: str = ""

    # No defaults outside embedded mode: a guessable secret would let anyone confirm bookings.
    webhook_secrets: tuple[str, ...] = field(default=(), metadata={"secret": True})
    admin_api_key: str = field(default="", metadata={"secret": True})
    secret_key: str = field(default="", metadata={"secret": True})
    medusa_jwt_secret: str = field(default="", metadata={"secret": True})
    # The first console account, made when there is none yet. Embedded mode generates the password.
    ops_user: str = "ops"
    ops_password: str = field(default="", metadata={"secret": True})

    medusa_url: str = ""
    medusa_api_key: str = field(default="", metadata={"secret": True})
    medusa_publishable_key: str = field(default="", metadata={"secret": True})
    # The product that items are sold as whose resource names none in its metadata (variant_id).
    medusa_variant_id: str = ""
    # Where a customer pays for a cart; {cart_id} stands for it. Unset: MEDUSA_URL/checkout?cart_id=….
    checkout_url: str = ""
    # The platform's variant that appointments are sold as, where the service's metadata names none.
    appointment_variant_id: str = ""
    stripe_secret_key: str = field(default="", metadata={"secret": True})
    stripe_webhook_secret: str = field(default="", metadata={"secret": True})

    booking_time_zone: str = "Australia/Brisbane"
    default_currency: str = "aud"
    hold_minutes: Decimal = Decimal(30)
    appointment_hold_minutes: Decimal = Decimal(10)
    reservation_minutes: Decimal = Decimal(15)
    hold_max_minutes: Decimal = Decimal(120)
    payment_grace_minutes: Decimal = Decimal(10)
    sweep_seconds: Decimal = Decimal(5)

    booking_advance_days: int = 90
    booking_cutoff_hours: Decimal = Decimal(24)
    min_booking_size: int = 1
    max_booking_size: int = 50
    waitlist_notification_expiry_hours: Decimal = Decimal(24)
    waitlist_auto_process: bool = True
    # How often freed seats may pass a party that needs more of them, before it may collect them; 0: never.
    waitlist_patience: int = 3
    appointment_reminder_hours: tuple[str, ...] = ("24", "1")  # Before it starts; "0" alone sends none.
    reminder_hours: Decimal = Decimal(24)  # Before a departure; 0 sends none.
    default_child_discount: Decimal = Decimal("0.30")
    tax_rate: Decimal = Decimal("0.10")
    booking_reference_prefix: str = "ST"  # ST-20261224-7QK2WM
    infant_max_age: int = 2
    child_max_age: int = 12

    cors_origins: tuple[str, ...] = ()
    # "on", "off", or limits in the notation of the `limits` library that replace the defaults ("1000/second").
    rate_limits: str = "on"
    # How many proxies in front of us set X-Forwarded-For; 0 believes none of them.
    trusted_proxies: int = 0
    smtp_url: str = field(default="", metadata={"secret": True})  # smtp://user:password@host:587
    mail_from: str = "bookings@localhost"
    ops_email: str = ""  # Who is told of shortfalls; unset: `mail_from`.

    # Webhooks out go to public addresses by HTTPS alone, unless this allows private ones and HTTP.
    webhooks_allow_private: bool = False

    # 2 x 8 was the best of the servers measured on two cores (docs/performance.md); more connections are slower.
    web_processes: int = 2
    web_threads: int = 8
    worker_processes: int = 2
    sender_threads: int = 16  # Deliveries of webhooks at a time, four of one receiver at most; each has a connection.

    sources: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def embedded(self) -> bool:
        """Whether the bridge runs on servers of its own."""
        return self.sources.get("database_url", "default") in {"default", "embedded"}

    @property
    def base_url(self) -> str:
        """Where customers reach us, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url.rstrip("/") or f"http://{host}:{self.port}"

    def cart_url(self, cart_id: str) -> str:
        """Where the customer pays for a cart of the platform."""
        template = self.checkout_url or f"{self.medusa_url.rstrip('/')}/checkout?cart_id={{cart_id}}"
        return template.replace("{cart_id}", cart_id)

    @property
    def metrics_dir(self) -> Path:
        """Where the processes of one host keep their counters for /metrics."""
        return self.bridge_data_dir.resolve() / "metrics"

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Config:
        """Read and check every setting. Raises InvalidSetting, which names the variable."""
        values: dict[str, Any] = {}
        sources: dict[str, str] = {}
        data_dir = Path(env.get("BRIDGE_DATA_DIR") or "var")
        kept = _read_json(data_dir / SECRETS_FILE) | _read_json(data_dir / SERVERS_FILE)
        for name, kind in _kinds().items():
            if raw := env.get(name.upper()):
                values[name], sources[name] = _parse(name, raw, kind), "environment"
            elif name in kept and _may_use_kept(name, env):
                values[name], sources[name] = _parse(name, kept[name], kind), "embedded"
            else:
                sources[name] = "default"
        config = cls(**values, sources=sources)
        config._check()
        return config

    def require(self, *names: str) -> None:
        """Raise InvalidSetting unless each of `names` has a value."""
        missing = [name.upper() for name in names if not getattr(self, name)]
        if missing:
            raise InvalidSetting(f"{', '.join(missing)} must be set: there is no safe default outside embedded mode")

    def describe(self) -> list[tuple[str, str, str]]:
        """(variable, value with secrets masked, source) of every setting."""
        rows = []
        for item in fields(self):
            if item.name == "sources":
                continue
            value = getattr(self, item.name)
            shown = ",".join(value) if isinstance(value, tuple) else str(value)
            if item.metadata.get("secret") and shown:
                shown = "********"
            rows.append((item.name.upper(), mask_url(shown), self.sources.get(item.name, "default")))
        return rows

    def _check(self) -> None:
        try:
            ZoneInfo(self.booking_time_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise InvalidSetting(f"BOOKING_TIME_ZONE: {self.booking_time_zone!r} is not an IANA time zone") from error
        if not all(map(_is_hours, self.appointment_reminder_hours)):
            raise InvalidSetting("APPOINTMENT_REMINDER_HOURS: numbers from 0 to 8760, such as 24,1")
        for name in ("hold_minutes", "appointment_hold_minutes", "reservation_minutes", "hold_max_minutes"):
            if getattr(self, name) <= 0:
                raise InvalidSetting(f"{name.upper()} must be more than 0")
        if self.sweep_seconds <= 0:
            raise InvalidSetting("SWEEP_SECONDS must be more than 0")
        if self.log_level.lower() not in LOG_LEVELS:
            raise InvalidSetting(f"LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}")
        if not 0 < self.port < 65536:
            raise InvalidSetting("PORT must be between 1 and 65535")
        if self.broker_url and not self.broker_url.startswith(BROKER_SCHEMES):
            raise InvalidSetting("BROKER_URL: it must start with amqp:// or redis://")
        if self.public_url and not self.public_url.startswith(("http://", "https://")):
            raise InvalidSetting("PUBLIC_URL: it must start with http:// or https://")
        if self.checkout_url and "{cart_id}" not in self.checkout_url:
            raise InvalidSetting("CHECKOUT_URL: {cart_id} must stand in it")
        self._check_tours()
        if not all(map(_is_webhook_secret, self.webhook_secrets)):
            raise InvalidSetting("WEBHOOK_SECRETS: each must be whsec_ and base64 after it")
        if self.rate_limits.lower() not in {"on", "off"}:
            _check_limits(self.rate_limits)

    def _check_tours(self) -> None:
        for name in ("default_child_discount", "tax_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidSetting(f"{name.upper()} must be from 0 to 1: 0.10 is 10 %")
        if not 1 <= self.min_booking_size <= self.max_booking_size:
            raise InvalidSetting("MIN_BOOKING_SIZE must be from 1 to MAX_BOOKING_SIZE")
        for name in ("booking_advance_days", "booking_cutoff_hours"):
            if not 0 <= getattr(self, name) <= _MOST_AHEAD:
                raise InvalidSetting(f"{name.upper()} must be from 0 to {_MOST_AHEAD}")
        if not _PREFIX.fullmatch(self.booking_reference_prefix):
            raise InvalidSetting("BOOKING_REFERENCE_PREFIX must be 1 to 10 capital letters or digits")
        if not _CURRENCY.fullmatch(self.default_currency):
            raise InvalidSetting("DEFAULT_CURRENCY must be three letters, such as aud")


def _check_limits(setting: str) -> None:
    try:
        parse_many(setting)
    except ValueError as error:
        raise InvalidSetting(f"RATE_LIMITS: {setting!r} is not on, off, or limits such as 1000/minute") from error


def _is_hours(text: str) -> bool:
    try:
        return 0 <= Decimal(text) <= 24 * 365
    except InvalidOperation:
        return False


def _is_webhook_secret(secret: str) -> bool:
    try:
        return secret.startswith("whsec_") and bool(base64.b64decode(secret.removeprefix("whsec_"), validate=True))
    except ValueError:
        return False


def mask_url(value: str) -> str:
    """`value` with the passwords of a URL, or of PostgreSQL's key=value form, hidden."""
    value = _PASSWORD.sub(r"\1********", value)
    head, separator, tail = value.partition("://")
    credentials, at, host = tail.rpartition("@")
    user, colon, _password = credentials.partition(":")
    return f"{head}{separator}{user}:********@{host}" if separator and at and colon else value


def _kinds() -> dict[str, Any]:
    return {name: kind for name, kind in get_type_hints(Config).items() if name != "sources"}


def _may_use_kept(name: str, env: Mapping[str, str]) -> bool:
    # Generated secrets belong to the embedded servers: beside a real database they would hide a missing setting.
    return not env.get("DATABASE_URL") or name == "broker_url"


def _parse(name: str, raw: str, kind: Any) -> Any:
    try:
        if kind is int:
            return int(raw)
        if kind is Decimal:
            number = Decimal(raw)
            if not number.is_finite():
                raise ValueError(raw)
            return number
    except (ValueError, InvalidOperation) as error:
        raise InvalidSetting(f"{name.upper()}: {raw!r} is not a number") from error
    if kind is bool:
        if raw.lower() not in {"true", "false", "1", "0", "yes", "no", "on", "off"}:
            raise InvalidSetting(f"{name.upper()}: {raw!r} is neither true nor false")
        return raw.lower() in {"true", "1", "yes", "on"}
    if kind is Path:
        return Path(raw)
    if kind == tuple[str, ...]:
        return tuple(part.strip() for part in raw.split(",") if part.strip())
    return raw


def _read_json(path: Path) -> dict[str, str]:
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InvalidSetting(f"{path} cannot be read ({error}); move it away to have it made anew") from error
    if not isinstance(content, dict):
        raise InvalidSetting(f"{path} should hold one JSON object; move it away to have it made anew")
    return content
