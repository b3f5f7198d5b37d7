"""That docs/tours.md can be copied and pasted: all of it, against a running bridge."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from bridge.config import Config
from tests.conftest import ADMIN_KEY, WEBHOOK_SECRET
from tests.databases import own_database
from tests.repository.test_readme import shell_blocks
from tests.tasks.conftest import purge, running, wait_for

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "tours.md").read_text()

# What each command says, in the order of the document.
SAYS = [
    "1",  # departures created
    "available",
    "Ada's own page",
    "247.5",  # three adults and the tax
    '202 {"event_id"',
    "pending",  # Ben
    "insufficient_capacity",  # Cleo
    "1",  # Jane's place
    "cancelled",  # Ada
    "notified",  # Jane
    "False",  # not two more seats
    "1",  # but one
    "pending",  # Jane's booking
    "converted",
    "2",  # Ben and Jane would be cancelled,
    "2",  # and are
]


@pytest.fixture
def port(config: Config, database_url: str, tmp_path: Path) -> Iterator[int]:
    """A bridge with all its processes, on a port and a database of its own."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        number = int(server.getsockname()[1])
    with own_database(database_url) as url:
        settings = replace(config, database_url=url, port=number, bridge_data_dir=tmp_path)
        purge(config.broker_url)
        with running(settings, "web", "relay", "worker", "beat"):
            wait_for(lambda: _is_up(number), seconds=120)
            yield number


def _is_up(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=2).ok
    except requests.ConnectionError:
        return False


@pytest.mark.xdist_group("rush")
def test_the_walk_through_does_what_it_says(port: int) -> None:
    script = shell_blocks(DOCUMENT)
    script = re.sub(r"^URL=.*$", f"URL=http://127.0.0.1:{port}", script, flags=re.MULTILINE)
    script = re.sub(r"^KEY=.*$", f"KEY={ADMIN_KEY}", script, flags=re.MULTILINE)
    env = {**os.environ, "PORT": str(port), "WEBHOOK_SECRETS": WEBHOOK_SECRET}

    done = subprocess.run(
        ["bash", "-eu", "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, timeout=240, check=False
    )

    assert done.returncode == 0, done.stderr + done.stdout
    lines = done.stdout.strip().splitlines()
    assert len(lines) == len(SAYS), done.stdout
    for line, said in zip(lines, SAYS, strict=True):
        assert said in line, done.stdout
