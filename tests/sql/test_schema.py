"""That bridge/schema.sql, which people read, is what the migrations make."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.db import MIGRATIONS
from tests.sql import schema

SCHEMA = Path(__file__).parents[2] / "bridge" / "schema.sql"


def test_the_schema_file_is_what_the_migrations_make() -> None:
    assert SCHEMA.read_text() == schema.dump(), f"run: {schema.COMMAND}"


def test_the_schema_file_has_every_table_and_no_data() -> None:
    text = SCHEMA.read_text()

    assert set(re.findall(r"^CREATE TABLE public\.(\w+)", text, re.MULTILINE)) >= {
        "resource",
        "capacity",
        "hold",
        "event",
    }
    assert "COPY " not in text
    assert "INSERT INTO public." not in text.partition("CREATE TABLE")[2]


@pytest.mark.parametrize(
    "noise", ["-- Dumped from database version 18.1", "SET lock_timeout = 0;", "\\restrict abc", "\\unrestrict abc"]
)
def test_what_changes_from_dump_to_dump_is_left_out(noise: str) -> None:
    assert schema.normalised(f"{noise}\nCREATE TABLE a ();\n\n\n\n{noise}\n") == "CREATE TABLE a ();\n"


@pytest.mark.parametrize("path", sorted(MIGRATIONS.glob("*.sql")), ids=lambda path: path.stem)
def test_a_migration_is_numbered_and_says_what_it_is_about(path: Path) -> None:
    assert re.fullmatch(r"\d{4}_\w+", path.stem)
    assert path.read_text().startswith("-- ")


def test_no_number_is_given_twice_or_left_out() -> None:
    numbers = [int(path.stem[:4]) for path in sorted(MIGRATIONS.glob("*.sql"))]

    assert numbers == list(range(1, len(numbers) + 1))
