"""`python -m tests.crashes.launcher KIND DEATH…`: a process of the bridge that dies where a test says, by its own hand.

The product knows nothing of it: the named function is wrapped in this process, and the process killed as the kernel
would kill it, without a word. Started without the launcher the same process lives.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from dataclasses import asdict, dataclass
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import orjson


@dataclass(frozen=True, kw_only=True)
class Death:
    """Where a process dies: at the `nth` call of a function, and at the `times - 1` after it."""

    at: str  # module:function, or module:holder.function
    when: Literal["before", "after"]
    tally: str  # A file: a letter for each call, of whatever process.
    nth: int = 1
    times: int = 1
    only: str = ""  # Counts only the calls whose arguments show this text.
    victims: Literal["group", "process"] = "group"  # As `kill -9` of everything, or as the kernel out of memory.

    def count(self) -> int:
        """Which call this is, by the tally."""
        # Appending is atomic, and what is written stays when the process goes.
        with Path(self.tally).open("ab", buffering=0) as tally:
            tally.write(b".")
            return tally.tell()

    def strike(self, *given: object) -> None:
        """Die if this is the call."""
        if self.only in repr(given) and self.nth <= self.count() < self.nth + self.times:
            if self.victims == "group":
                os.killpg(os.getpgid(0), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)


def arm(death: Death) -> None:
    """Have this process, and those it forks, die there."""
    module, _, path = death.at.partition(":")
    *holders, name = path.split(".")
    holder: Any = import_module(module)
    for part in holders:
        holder = getattr(holder, part)
    original = getattr(holder, name)

    @wraps(original)
    def mortal(*args: Any, **kwargs: Any) -> Any:
        if death.when == "before":
            death.strike(args, kwargs)
        answer = original(*args, **kwargs)
        if death.when == "after":
            death.strike(args, kwargs)
        return answer

    setattr(holder, name, mortal)


def command(kind: str, *deaths: Death) -> list[str]:
    """What to run for a process of that kind that dies so."""
    return [sys.executable, "-m", __name__, kind, *(orjson.dumps(asdict(death)).decode() for death in deaths)]


def main(kind: str, *deaths: str) -> None:
    """Arm this process and run it as `python -m bridge KIND` would."""
    # What serves HTTP are children; only a fork inherits what was wrapped here.
    multiprocessing.set_start_method("fork", force=True)
    for death in deaths:
        arm(Death(**orjson.loads(death)))
    from bridge.cli import main as bridge

    bridge([kind], prog_name="python -m bridge")


if __name__ == "__main__":
    main(*sys.argv[1:])
