"""Every setting: its default, where it comes from, and what is no value for it."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from bridge.config import SECRETS_FILE, SERVERS_FILE, Config, mask_url
from bridge.errors import InvalidSetting

# As the contract's table has them. Minutes, hours and rates are Decimals, so that fractions are exact.
DEFAULTS = {
    "host": "127.0.0.1",
    "port": 8000,
    "bridge_data_dir": Path("var"),
    "log_level": "info",
    "public_url": "",
    "database_url": "",
    "broker_url": "",
    "medusa_url": "",
    "checkout_url": "",
    "booking_time_zone": "Australia/Brisbane",
    "default_currency": "aud",
    "hold_minutes": 30,
    "appointment_hold_minutes": 10,
    "reservation_minutes": 15,
    "hold_max_minutes": 120,
    "payment_grace_minutes": 10,
    "sweep_seconds": 5,
    "booking_advance_days": 90,
    "booking_cutoff_hours": 24,
    "min_booking_size": 1,
    "max_booking_size": 50,
    "waitlist_notification_expiry_hours": 24,
    "waitlist_auto_process": True,
    "default_child_discount": Decimal("0.30"),
    "tax_rate": Decimal("0.10"),
    "infant_max_age": 2,
    "child_max_age": 12,
    "cors_origins": (),
    "rate_limits": "on",
    "smtp_url": "",
}
SECRETS = ("WEBHOOK_SECRETS", "ADMIN_API_KEY", "SECRET_KEY", "MEDUSA_JWT_SECRET", "MEDUSA_API_KEY", "OPS_PASSWORD")


@pytest.fixture
def folder(tmp_path: Path) -> dict[str, str]:
    """An environment that names nothing but an empty data folder."""
    return {"BRIDGE_DATA_DIR": str(tmp_path)}


def test_an_empty_environment_gives_the_defaults() -> None:
    config = Config.from_env({})

    assert {name: getattr(config, name) for name in DEFAULTS} == DEFAULTS
    assert set(config.sources.values()) == {"default"}


def test_no_secret_has_a_default() -> None:
    config = Config.from_env({})

    assert [name for name in SECRETS if getattr(config, name.lower())] == []


def test_a_variable_sets_the_field_of_its_name(folder: dict[str, str]) -> None:
    config = Config.from_env({**folder, "PORT": "9000", "DEFAULT_CURRENCY": "eur", "HOLD_MINUTES": "45"})

    assert (config.port, config.default_currency, config.hold_minutes) == (9000, "eur", 45)


def test_an_empty_variable_is_an_unset_one(folder: dict[str, str]) -> None:
    config = Config.from_env({**folder, "PORT": "", "DATABASE_URL": ""})

    assert (config.port, config.database_url) == (8000, "")
    assert config.sources["port"] == "default"


def test_fractions_of_minutes_are_exact(folder: dict[str, str]) -> None:
    config = Config.from_env({**folder, "HOLD_MINUTES": "0.05", "WAITLIST_NOTIFICATION_EXPIRY_HOURS": "0.5"})

    assert config.hold_minutes * 60 == 3
    assert config.waitlist_notification_expiry_hours == Decimal("0.5")


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("a", ("a",)),
        ("a,b", ("a", "b")),
        (" a , b ", ("a", "b")),
        ("a,,b,", ("a", "b")),
        (",", ()),
    ],
)
def test_a_list_is_split_at_its_commas(folder: dict[str, str], text: str, parsed: tuple[str, ...]) -> None:
    config = Config.from_env({**folder, "CORS_ORIGINS": text})

    assert config.cors_origins == parsed


@pytest.mark.parametrize(
    ("text", "parsed"), [("true", True), ("1", True), ("YES", True), ("off", False), ("False", False), ("0", False)]
)
def test_a_switch_is_said_in_several_ways(folder: dict[str, str], text: str, parsed: bool) -> None:
    assert Config.from_env({**folder, "WAITLIST_AUTO_PROCESS": text}).waitlist_auto_process is parsed


# -- what is no value --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "80.5"),
        ("HOLD_MINUTES", "half an hour"),
        ("HOLD_MINUTES", "0"),
        ("HOLD_MINUTES", "-5"),
        ("HOLD_MINUTES", "nan"),
        ("HOLD_MINUTES", "inf"),
        ("APPOINTMENT_HOLD_MINUTES", "0"),
        ("RESERVATION_MINUTES", "0"),
        ("HOLD_MAX_MINUTES", "0"),
        ("SWEEP_SECONDS", "0"),
        ("SWEEP_SECONDS", "-1"),
        ("MAX_BOOKING_SIZE", "many"),
        ("TAX_RATE", "10%"),
        ("TAX_RATE", "10"),
        ("DEFAULT_CHILD_DISCOUNT", "-0.1"),
        ("MIN_BOOKING_SIZE", "0"),
        ("BOOKING_ADVANCE_DAYS", "-1"),
        ("BOOKING_REFERENCE_PREFIX", "st!"),
        ("DEFAULT_CURRENCY", "dollars"),
        ("WAITLIST_AUTO_PROCESS", "maybe"),
        ("LOG_LEVEL", "loud"),
        ("BOOKING_TIME_ZONE", "Mars/Olympus_Mons"),
        ("BOOKING_TIME_ZONE", "../../etc/passwd"),
        ("BOOKING_TIME_ZONE", "/etc/localtime"),
    ],
)
def test_a_value_that_cannot_be_used_names_its_variable(folder: dict[str, str], name: str, value: str) -> None:
    with pytest.raises(InvalidSetting) as refusal:
        Config.from_env({**folder, name: value})

    assert refusal.value.message.startswith(name)


def test_outside_embedded_mode_a_missing_secret_is_named() -> None:
    config = Config.from_env({"DATABASE_URL": "postgresql://db/bridge", "ADMIN_API_KEY": "key"})

    with pytest.raises(InvalidSetting) as refusal:
        config.require("admin_api_key", "secret_key", "webhook_secrets")

    assert "SECRET_KEY, WEBHOOK_SECRETS must be set" in refusal.value.message
    assert "ADMIN_API_KEY" not in refusal.value.message


# -- what embedded mode keeps ------------------------------------------------------------------------------------------


@pytest.fixture
def kept(folder: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of a bridge that has run embedded before, and whose servers run."""
    (tmp_path / SECRETS_FILE).write_text(json.dumps({"admin_api_key": "bk_kept", "webhook_secrets": "whsec_kept"}))
    (tmp_path / SERVERS_FILE).write_text(
        json.dumps({"database_url": "postgresql://own/bridge", "broker_url": "redis://own"})
    )
    return folder


def test_what_was_generated_is_found_again(kept: dict[str, str]) -> None:
    config = Config.from_env(kept)

    assert (config.admin_api_key, config.webhook_secrets) == ("bk_kept", ("whsec_kept",))
    assert (config.database_url, config.broker_url) == ("postgresql://own/bridge", "redis://own")
    assert (config.sources["admin_api_key"], config.sources["port"]) == ("embedded", "default")
    assert config.embedded


def test_the_environment_comes_first(kept: dict[str, str]) -> None:
    config = Config.from_env({**kept, "ADMIN_API_KEY": "mine"})

    assert (config.admin_api_key, config.sources["admin_api_key"]) == ("mine", "environment")


def test_beside_a_real_database_generated_secrets_do_not_hide_a_missing_one(kept: dict[str, str]) -> None:
    config = Config.from_env({**kept, "DATABASE_URL": "postgresql://db/bridge"})

    assert not config.embedded
    assert config.broker_url == "redis://own"
    with pytest.raises(InvalidSetting, match="ADMIN_API_KEY"):
        config.require("admin_api_key")


@pytest.mark.parametrize("content", ["", "{", "[]", '"text"', "\0"])
def test_a_damaged_file_is_named(folder: dict[str, str], tmp_path: Path, content: str) -> None:
    (tmp_path / SECRETS_FILE).write_text(content)

    with pytest.raises(InvalidSetting) as refusal:
        Config.from_env(folder)

    assert str(tmp_path / SECRETS_FILE) in refusal.value.message


# -- what is shown -----------------------------------------------------------------------------------------------------


def test_secrets_and_passwords_in_urls_are_not_shown(folder: dict[str, str]) -> None:
    env = {
        **folder,
        **{name: f"s3cret-{name}" for name in SECRETS},
        "WEBHOOK_SECRETS": "whsec_s3cret==",
        "DATABASE_URL": "postgresql://ada:s3cret@db:5432/bridge",
        "BROKER_URL": "redis://:s3cret@cache:6379/0",
        "SMTP_URL": "smtp://ada:s3cret@mail:587",
    }

    rows = {name: (value, source) for name, value, source in Config.from_env(env).describe()}

    assert "s3cret" not in str(rows)
    assert rows["DATABASE_URL"] == ("postgresql://ada:********@db:5432/bridge", "environment")
    assert rows["BROKER_URL"] == ("redis://:********@cache:6379/0", "environment")
    assert rows["ADMIN_API_KEY"] == ("********", "environment")
    assert rows["STRIPE_SECRET_KEY"] == ("", "default")


def test_every_setting_is_shown_once() -> None:
    names = [name for name, _value, _source in Config.from_env({}).describe()]

    assert sorted(names) == sorted(name.upper() for name in Config.__dataclass_fields__ if name != "sources")


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("postgresql://ada:pw@db/x", "postgresql://ada:********@db/x"),
        ("postgresql://ada:p@w:d@db/x", "postgresql://ada:********@db/x"),
        ("amqp://guest:guest@mq:5672//", "amqp://guest:********@mq:5672//"),
        ("postgresql://ada@db/x", "postgresql://ada@db/x"),
        ("redis://cache:6379/0", "redis://cache:6379/0"),
        ("no url", "no url"),
        ("", ""),
    ],
)
def test_a_url_loses_its_password_and_nothing_else(url: str, masked: str) -> None:
    assert mask_url(url) == masked


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("postgresql://db/x?user=ada&password=s3cret&port=1", "postgresql://db/x?user=ada&password=********&port=1"),
        ("postgresql://ada:s3cret@db/x?sslpassword=s3cret", "postgresql://ada:********@db/x?sslpassword=********"),
        ("host=db password=s3cret dbname=x", "host=db password=******** dbname=x"),
        ("host=db password='s 3cret' dbname=x", "host=db password=******** dbname=x"),
    ],
)
def test_a_password_said_by_name_is_not_shown(url: str, masked: str) -> None:
    assert mask_url(url) == masked


def test_a_configuration_is_not_changed_by_accident() -> None:
    with pytest.raises(AttributeError):
        Config.from_env({}).port = 1  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("BROKER_URL", "http://broker"),
        ("WEBHOOK_SECRETS", "abc"),
        ("WEBHOOK_SECRETS", "whsec_not base64"),
        ("WEBHOOK_SECRETS", "whsec_"),
        ("RATE_LIMITS", "maybe"),
    ],
)
def test_what_would_only_fail_later_is_refused_at_the_start(folder: dict[str, str], name: str, text: str) -> None:
    with pytest.raises(InvalidSetting, match=name):
        Config.from_env({**folder, name: text})
