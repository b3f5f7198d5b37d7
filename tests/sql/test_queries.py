"""That every query and every function fits the migrated schema."""

from __future__ import annotations

import re

import psycopg
import pytest

from bridge import sql
from bridge.db import Connection

QUERIES = {
    f"{path.stem}.{name}": text
    for path in sorted(sql.FOLDER.glob("*.sql"))
    for name, text in sql.read_queries(path).items()
}
FUNCTIONS = dict(sql.read_functions())


def numbered(query: str) -> str:
    return sql.number_parameters(query)[0]


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_is_prepared(conn: Connection, name: str) -> None:
    conn.execute(f"PREPARE tested AS {numbered(QUERIES[name])}", prepare=False)
    conn.execute("DEALLOCATE tested", prepare=False)


def test_a_query_that_does_not_fit_would_be_noticed(conn: Connection) -> None:
    with pytest.raises(psycopg.errors.UndefinedColumn), conn.transaction():
        conn.execute(f"PREPARE tested AS {numbered('SELECT colour FROM hold WHERE id = %(id)s')}", prepare=False)


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_is_used(name: str) -> None:
    called = f".{name.partition('.')[2]}"
    code = (path.read_text() for path in sql.FOLDER.parent.rglob("*.py"))

    assert any(re.search(rf"{re.escape(called)}\b", text) for text in code)


def test_no_file_has_two_queries_of_one_name() -> None:
    for path in sql.FOLDER.glob("*.sql"):
        names = re.findall(r"^-- name: (\w+)$", path.read_text(), re.MULTILINE)
        assert len(names) == len(set(names)), path.name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_made_and_may_be_made_again(conn: Connection, name: str) -> None:
    for _ in range(2):
        conn.execute(FUNCTIONS[name].encode(), prepare=False)


def test_each_file_makes_the_function_of_its_name_and_there_are_no_others(conn: Connection) -> None:
    rows = conn.execute("SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace").fetchall()

    assert sorted(row["proname"] for row in rows) == sorted(name.partition("_")[2] for name in FUNCTIONS)
