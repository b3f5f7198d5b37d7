"""What a log line shows."""

from __future__ import annotations

import json
import subprocess
import sys

SCRIPT = """
import logging
import structlog
from bridge import logs
logs.configure("info")
structlog.get_logger("x").info("placed", who="Ada@Example.test")
try:
    raise ValueError("refused: ada@example.test")
except ValueError:
    structlog.get_logger("x").exception("odd")
logging.getLogger("a.library").warning("mail to ada@example.test and redis://:**@127.0.0.1/0")
"""


def test_an_address_is_hashed_wherever_it_stands() -> None:
    out = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout

    lines = [json.loads(line) for line in out.splitlines()]
    assert len(lines) == 3
    assert "example.test" not in out.lower()
    assert lines[0]["who"].startswith("email:")
    assert lines[0]["who"] in lines[1]["exception"]
    assert lines[0]["who"] in lines[2]["event"]
    assert "redis://:**@127.0.0.1/0" in lines[2]["event"]
