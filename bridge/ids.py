"""Ids: a prefix that says what it is of, and a ULID that sorts by age."""

from __future__ import annotations

from ulid import ULID


def new_id(prefix: str) -> str:
    """A fresh id such as `hold_01J…`; unguessable by its 80 random bits."""
    return f"{prefix}_{ULID()}"
