"""A database of one's own, for tests that must see every event there is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bridge import db


@contextmanager
def own_database(beside: str) -> Iterator[str]:
    """A fresh, migrated database on the server of `beside`, which this process uses until the end."""
    name = f"bridge_own_{uuid4().hex[:12]}"
    with psycopg.connect(beside, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = make_conninfo(**{**conninfo_to_dict(beside), "dbname": name})
    try:
        db.migrate(url)
        db.configure(url)
        yield url
    finally:
        db.configure(beside)
        with psycopg.connect(beside, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
