"""A figure beside what it should be."""

from __future__ import annotations

from typing import NamedTuple


class Target(NamedTuple):
    """One line of the summary."""

    what: str
    measured: str
    target: str
    is_met: bool
