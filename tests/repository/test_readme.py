"""That the documents tell the truth: their commands, their paths, their links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")


def shell_blocks(text: str) -> str:
    """What a reader is told to type."""
    return "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE))


def targets() -> set[str]:
    """What `make` can make."""
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_two_commands_are_run_and_test() -> None:
    assert re.findall(r"^make (\w+)", shell_blocks(README), re.MULTILINE) == ["run", "test"]


def test_every_make_target_that_is_named_exists() -> None:
    named = {
        name for path in DOCUMENTS for name in re.findall(r"`make (\w+)|^make (\w+)", path.read_text(), re.MULTILINE)
    }

    assert {name for pair in named for name in pair if name} <= targets()


def test_ci_runs_the_readmes_test_command_as_it_is_and_the_checks() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()

    assert "make test" in lines
    assert "make check" in lines


def test_ci_stops_at_the_first_failure() -> None:
    assert "set -eu" in (ROOT / ".ci" / "run").read_text().splitlines()


def test_every_path_on_the_readmes_map_exists() -> None:
    rows = re.findall(r"^\| (`.+?) \| (.+) \|$", README, re.MULTILINE)
    paths = {path for left, _right in rows for path in re.findall(r"`([\w./]+)`", left)}
    paths |= {path for _left, right in rows for path in re.findall(r"`((?:bridge|tasks|schemas)/[\w./]+)`", right)}

    assert paths >= {"bridge/web/", "tasks/", "schemas/"}
    assert {path for path in paths if not (ROOT / path).exists()} == set()


def test_every_file_that_the_readme_has_one_type_exists() -> None:
    files = re.findall(r"tests/[\w./-]+", shell_blocks(README))

    assert files
    assert [path for path in files if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(document: Path) -> None:
    links = [link.partition("#")[0] for link in _LINK.findall(document.read_text()) if "://" not in link]

    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_setting_of_the_commands_is_documented_by_the_command_line() -> None:
    """The README names no setting that the bridge does not have."""
    from bridge.config import Config

    settings = {name.upper() for name in Config.__dataclass_fields__}
    named = set(re.findall(r"`([A-Z]+_[A-Z_]+)`", "".join(path.read_text() for path in DOCUMENTS)))
    outside = {name for name in named if name not in settings and not name.startswith(("CI_", "TEST_", "PG"))}

    assert outside == set()


def test_every_setting_is_explained_to_who_operates_the_bridge() -> None:
    from bridge.config import Config

    settings = {name.upper() for name in Config.__dataclass_fields__} - {"SOURCES"}
    explained = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)*)", (ROOT / "docs/operating.md").read_text()))

    assert settings - explained == set()
