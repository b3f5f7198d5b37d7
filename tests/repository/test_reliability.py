"""That every test the failure matrix calls as a witness exists, and that every test of faults is in it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "reliability.md").read_text()))
# Of the checker and of a RabbitMQ on which nothing is wrong: they prove the proofs.
ABOUT_THE_TESTS = {"test_checker.py"}
WITHOUT_A_FAULT = {"test_queues_that_are_well_and_those_to_come_are_left_alone"}


def names_in(*paths: Path) -> set[str]:
    return {name for path in paths for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)}


def test_every_test_that_is_named_as_a_proof_exists() -> None:
    assert NAMED
    assert NAMED - names_in(*(ROOT / "tests").rglob("test_*.py")) == set()


def test_every_fault_that_is_tested_is_in_the_matrix() -> None:
    files = [path for path in (ROOT / "tests" / "faults").glob("test_*.py") if path.name not in ABOUT_THE_TESTS]

    assert names_in(*files) - WITHOUT_A_FAULT - NAMED == set()
