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


REQUEST_SCRIPT = """
import sys
from bridge import logs
import structlog
for level in ("info", "warning"):
    logs.configure(level)
    fields = {"path": "/holds/ada@example.test", "status": 201, "request_id": "r1"}
    logs.log_request(**fields)
    structlog.get_logger(level).info("request", **fields)
"""


def test_the_line_of_a_request_is_what_the_long_way_writes() -> None:
    out = subprocess.run([sys.executable, "-c", REQUEST_SCRIPT], capture_output=True, text=True, check=True).stdout

    short, long = [json.loads(line) for line in out.splitlines()]
    stamps = short.pop("timestamp"), long.pop("timestamp")
    assert short == long
    assert short["path"].startswith("/holds/email:")
    assert [len(stamp) for stamp in stamps] == [27, 27]
    assert stamps[0] <= stamps[1]
