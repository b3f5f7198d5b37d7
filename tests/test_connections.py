"""The short way of a statement answers what the long one does, whatever happens to its connection."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from bridge import db

TYPES = """
    SELECT %(text)s::text AS text, %(count)s::integer AS count, %(day)s::date AS day, %(at)s::timestamptz AS at,
        %(term)s::interval AS term, %(raw)s::bytea AS raw, %(json)s::jsonb AS json, %(slots)s::bigint[] AS slots,
        %(names)s::text[] AS names, %(part)s::numeric AS part, %(is_open)s::boolean AS is_open,
        %(nothing)s::text AS nothing, 100 %% 7 AS rest,
        %(count)s::integer + 1 AS next
"""
VALUES: dict[str, Any] = {
    "text": "Grüße, 'Ada'\\",
    "count": 7,
    "day": date(2030, 1, 2),
    "at": datetime(2030, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    "term": timedelta(days=1, minutes=30),
    "raw": b"\x00\xff\\",
    "json": Jsonb({"a": [1, None, "ü"]}),
    "slots": [1, -(2**40)],
    "names": ["a,b", '"', "", None],
    "part": Decimal("0.30"),
    "is_open": True,
    "nothing": None,
}


@pytest.fixture
def fresh(database_url: str) -> Iterator[db.Connection]:
    """A connection of the test's own, outside any transaction."""
    with db.connect(database_url) as connection:
        yield connection


def test_every_type_comes_back_as_the_long_way_has_it(fresh: db.Connection) -> None:
    long_way = fresh.execute(TYPES, VALUES).fetchall()

    assert fresh.fetch(TYPES, VALUES) == fresh.fetch(TYPES, VALUES) == long_way


def test_values_that_are_not_asked_for_are_ignored_and_one_missing_is_an_error(fresh: db.Connection) -> None:
    query = "SELECT %(a)s::text AS a"

    assert fresh.fetch(query, {"a": "x", "b": "y"}) == [{"a": "x"}]
    with pytest.raises(KeyError):
        fresh.fetch(query, {"b": "y"})
    assert fresh.fetch(query, {"a": "z"}) == [{"a": "z"}]


def test_many_rows_and_none(fresh: db.Connection) -> None:
    query = "SELECT n FROM generate_series(1, %(last)s::integer) AS n"

    assert [row["n"] for row in fresh.fetch(query, {"last": 3})] == [1, 2, 3]
    assert fresh.fetch(query, {"last": 0}) == []


def test_an_error_is_of_psycopgs_class_and_the_connection_goes_on(fresh: db.Connection) -> None:
    query = "SELECT 1 / %(n)s::integer AS part"

    with pytest.raises(psycopg.errors.DivisionByZero):
        fresh.fetch(query, {"n": 0})
    with pytest.raises(psycopg.errors.SyntaxError):
        fresh.fetch("SELEC", {})
    assert fresh.fetch(query, {"n": 1}) == [{"part": 1}]


def test_it_goes_on_after_a_rollback(fresh: db.Connection) -> None:
    first, second = "SELECT %(n)s::integer AS n", "SELECT %(n)s::integer + 1 AS n"
    fresh.fetch(first, {"n": 1})
    with pytest.raises(ZeroDivisionError), fresh.transaction():
        fresh.execute("SELECT %s", [1])
        raise ZeroDivisionError
    fresh.execute("DEALLOCATE ALL", prepare=False)

    assert fresh.fetch(second, {"n": 1}) == fresh.fetch(first, {"n": 2}) == [{"n": 2}]
    assert fresh.fetch(second, {"n": 2}) == [{"n": 3}]


def test_a_rollback_to_a_savepoint_in_a_transaction_is_gone_on_after(fresh: db.Connection) -> None:
    query = "SELECT %(n)s::integer AS n"
    with fresh.transaction():
        fresh.execute("SELECT %s", [1])
        fresh.fetch(query, {"n": 1})
        with pytest.raises(psycopg.errors.DivisionByZero), fresh.transaction():
            fresh.fetch("SELECT 1 / %(n)s::integer AS part", {"n": 0})

        assert fresh.fetch(query, {"n": 2}) == [{"n": 2}]


def test_what_has_no_rows_answers_none(fresh: db.Connection) -> None:
    assert fresh.fetch("UPDATE ops_user SET name = name WHERE name = %(name)s", {"name": "nobody"}) == []


def test_in_a_transaction_it_is_part_of_it(fresh: db.Connection) -> None:
    query = "INSERT INTO ops_user (name, password_hash) VALUES (%(name)s, '') RETURNING name"

    with pytest.raises(ZeroDivisionError), fresh.transaction():
        assert fresh.fetch(query, {"name": "fetched"}) == [{"name": "fetched"}]
        raise ZeroDivisionError

    assert fresh.fetch("SELECT name FROM ops_user WHERE name = %(name)s", {"name": "fetched"}) == []


def test_a_connection_that_was_cut_is_an_operational_error(fresh: db.Connection, database_url: str) -> None:
    fresh.fetch("SELECT 1 AS one", {})
    with db.connect(database_url) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [fresh.info.backend_pid])

    with pytest.raises(psycopg.OperationalError):
        fresh.fetch("SELECT 1 AS one", {})
    with pytest.raises(psycopg.OperationalError):
        fresh.fetch("SELECT 1 AS one", {})
