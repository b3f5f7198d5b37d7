"""The named queries: `sql.load("holds").find_hold` is the text under `-- name: find_hold` in holds.sql."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

FOLDER = Path(__file__).parent
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_PARAMETER = re.compile(r"%(?:\((?P<name>\w+)\)s|%)")


@cache
def load(noun: str) -> Any:
    """The queries of `<noun>.sql` by name. An unknown name is an AttributeError."""
    return SimpleNamespace(**read_queries(FOLDER / f"{noun}.sql"))


def read_queries(path: Path) -> dict[str, str]:
    """Name and text of every query of a file, in the order of the file."""
    parts = _NAME.split(path.read_text())
    return {name: text.strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def number_parameters(query: str) -> tuple[str, list[str]]:
    """The query with PostgreSQL's own parameters, and which value each takes: `%(name)s` is `$1`, and `$1` again."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        if found["name"] is None:
            return "%"
        if found["name"] not in names:
            names.append(found["name"])
        return f"${names.index(found['name']) + 1}"

    return _PARAMETER.sub(number, query), names


def read_functions() -> list[tuple[str, str]]:
    """Name and text of every database function, in the order they must be made."""
    return [(path.stem, path.read_text()) for path in sorted((FOLDER / "functions").glob("*.sql"))]
