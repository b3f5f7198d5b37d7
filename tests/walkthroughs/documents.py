"""A document's commands, done as a reader would do them: copied, and pasted into a shell beside a running bridge."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping

from tests.faults.running import ROOT, free_port, running_bridge

_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
_SECONDS = 240  # On two busy cores; what waits in a document for something that does not come waits so long.


def blocks_of(name: str) -> list[str]:
    """What the reader of a document is told to type, block by block."""
    return _BLOCK.findall((ROOT / name).read_text())


def walk_through(name: str) -> list[str]:
    """What the commands of a document say, line by line, typed beside a bridge of their own.

    With two blocks the first starts the bridge: its settings are taken, and its platform's port is a free one.
    """
    *starts, walk = blocks_of(name)
    settings = {setting: value for start in starts for setting, value in re.findall(r"(MEDUSA_\w+)=(\S+)", start)}
    port = str(free_port())
    if settings:
        settings["MEDUSA_URL"] = f"http://127.0.0.1:{port}"
    with running_bridge(settings) as bridge:
        return _type(walk, {**bridge.env, "FAKE_PLATFORM_PORT": port})


def _type(walk: str, env: Mapping[str, str]) -> list[str]:
    ours = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "BROKER_URL"}}
    done = subprocess.run(
        # Whatever happens, the platform it starts is not left behind.
        ["bash", "-eu", "-o", "pipefail", "-c", f"trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{walk}"],
        cwd=ROOT,
        env={**ours, **env},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout.strip().splitlines()
