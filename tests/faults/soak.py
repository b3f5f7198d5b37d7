"""`make soak`: everything that can go wrong, at random, for as long as you like; then a table, and an exit code.

    python -m tests.faults.soak --minutes 20 --setup embedded|rabbitmq|redis --seed 7

0: all is right. 1: something is wrong. 2: nothing is, but no kill found anybody at work, so nothing was proved.
Ctrl-C ends it early, with the table of what was done until then.
"""

from __future__ import annotations

import argparse
import random
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg
import requests

from tests.faults.faults import Faults
from tests.faults.load import Load, start_load
from tests.faults.platform import TROUBLES
from tests.faults.proof import Proof, prove
from tests.faults.running import KINDS
from tests.faults.setups import SETUPS, Stage, absent, stage

DAYS = 300  # So many that there are always some with seats.
# Two workers that are killed every minute must keep up with it, on two cores that three of these may share.
REST_SECONDS = (0.3, 1.2)
BETWEEN_SECONDS = (2.0, 10.0)
PROGRESS_SECONDS = 15.0
# Faults follow each other faster than the bridge gets over some of them, so an event may be hit more than once.
PATIENCE_SECONDS = 300.0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--setup", choices=SETUPS, default="embedded")
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args(argv)
    if programs := absent(options.setup):
        say(f"this machine has no {', '.join(programs)}, which SETUP={options.setup} needs")
        return 1
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    say(f"{options.setup}, {options.minutes:g} minutes; to have the same again: SEED={seed}")
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: over.set())
    with stage(options.setup) as running:
        soak = Soak(running, start_load(running, seed=seed, days=DAYS, rest_seconds=REST_SECONDS), seed, over)
        return soak.run(options.minutes * 60)


@dataclass(slots=True)
class Soak:
    """One run."""

    stage: Stage
    load: Load
    seed: int
    over: threading.Event
    started: float = field(default_factory=time.monotonic)
    done: dict[str, int] = field(default_factory=dict)

    def run(self, seconds: float) -> int:
        """Do harm for so long, then prove and tell. Returns the exit code."""
        dice = random.Random(self.seed)
        deadline = self.started + seconds
        threading.Thread(target=self._tell_regularly, daemon=True).start()
        try:
            while not self.over.wait(dice.uniform(*BETWEEN_SECONDS)) and time.monotonic() < deadline:
                self._do(*self._choose(dice))
        finally:
            self.over.set()
        minutes = (time.monotonic() - self.started) / 60
        say("no more faults; waiting until everything is done")
        truth = self.load.traffic.stop()
        proof = prove(self.stage.bridge, truth, outages=self.load.outages, patience_seconds=PATIENCE_SECONDS)
        return self._conclude(proof, minutes)

    def _choose(self, dice: random.Random) -> tuple[str, Callable[[], None]]:
        """What to do next, and how it is called."""
        faults = Faults(self.stage, self.load, over=self.over)
        if dice.random() < 0.3:
            # Something dies while something else is wrong.
            faults = Faults(self.stage, self.load, self._killer(dice.choice(KINDS), dice.uniform(0, 3)), self.over)
        seconds, kind = dice.uniform(4, 30), dice.choice(KINDS)
        trouble, number = dice.choice(TROUBLES), dice.choice([signal.SIGINT, signal.SIGQUIT])
        return dice.choice(
            [
                ("worker killed", lambda: faults.kill("worker", seconds=20)),
                ("worker killed", lambda: faults.kill("worker", seconds=20)),
                ("web killed", lambda: faults.kill("web", seconds=40)),
                (f"{kind} killed", lambda: faults.kill(kind, seconds=40)),
                ("two beats", lambda: faults.run_two_beats(seconds / 3)),
                (f"broker away for {seconds:.0f} s", lambda: faults.take_broker_away(seconds)),
                (f"broker emptied after {seconds:.0f} s", lambda: faults.take_broker_away(seconds, empty=True)),
                (f"broker full for {seconds / 2:.0f} s", lambda: faults.fill_broker(seconds / 2)),
                (f"database {number.name}", lambda: faults.restart_database(number, dice.choice([0, 3, 8]))),
                ("connections cut", faults.cut_connections),
                ("rows locked for 10 s", lambda: faults.hold_a_lock(10)),
                (f"platform {trouble} for {seconds / 2:.0f} s", lambda: faults.trouble_platform(trouble, seconds / 2)),
                (f"platform {trouble} for {seconds / 2:.0f} s", lambda: faults.trouble_platform(trouble, seconds / 2)),
                ("clock an hour off", faults.send_with_a_wrong_clock),
                (f"events paused for {seconds / 2:.0f} s", lambda: faults.pause_queue(seconds / 2)),
            ]
        )

    def _killer(self, kind: str, after_seconds: float) -> Callable[[], None]:
        def kill() -> None:
            self.over.wait(after_seconds)
            if self.stage.bridge.kill(kind):
                self.load.kills[kind] += 1
                say(f"… and {kind} killed meanwhile")

        return kill

    def _do(self, name: str, act: Callable[[], None]) -> None:
        say(name)
        kind = re.split(" for | after ", name, maxsplit=1)[0]
        self.done[kind] = self.done.get(kind, 0) + 1
        try:
            act()
            Faults(self.stage, self.load, over=self.over).wait_until_well()
        except AssertionError as error:
            say(f"{name}: {error}")
            if "not well" in str(error):
                self.load.traffic.truth.surprise(f"after {name}: {error}")
        except (psycopg.Error, requests.RequestException) as error:
            say(f"{name} could not be done: {error}")

    def _tell_regularly(self) -> None:
        while not self.over.wait(PROGRESS_SECONDS):
            truth = self.load.traffic.truth
            accepted = sum(sent.accepted_at is not None for sent in list(truth.events.values()))
            say(
                f"{(time.monotonic() - self.started) / 60:.1f} min: {len(truth.events)} events, {accepted} accepted,"
                f" {self._pending()} pending, {len(truth.holds)} holds, {sum(self.load.kills.values())} kills,"
                f" {len(truth.surprises)} surprises"
            )

    def _pending(self) -> str:
        try:
            with self.stage.bridge.database() as conn:
                rows = conn.execute("SELECT count(*) AS n FROM event WHERE status = 'pending'").fetchall()
                return str(rows[0]["n"])
        except (psycopg.Error, OSError, KeyError):
            return "?"

    def _conclude(self, proof: Proof, minutes: float) -> int:
        for difference in proof.differences[:50]:
            say(f"WRONG: {difference}")
        if proof.differences:
            say(f"the bridge's last words:\n{self.stage.bridge.log()[-4000:]}")
        verdict = proof.verdict(self.load.kills)
        slowest = f"{proof.slowest_seconds:.1f} s" + (f" at {proof.slowest_at:%H:%M:%S}" if proof.slowest_at else "")
        rows = {
            "set-up": self.stage.name,
            "seed": str(self.seed),
            "minutes": f"{minutes:.1f}",
            "kills": ", ".join(f"{kind} {n}" for kind, n in sorted(self.load.kills.items())) or "none",
            "faults": ", ".join(f"{kind} {n}" for kind, n in sorted(self.done.items())) or "none",
            "attempts killed in the middle": str(proof.died),
            "calls whose connection broke": str(proof.unanswered),
            "answers 503": str(proof.unavailable),
            "events sent": f"{proof.sent}, of which {proof.shuffled} shuffled; {proof.duplicated} repeats",
            "events applied": f"{proof.applied}, and {proof.ignored} old news; {proof.retried} retries",
            "holds": f"{proof.holds} placed, {proof.refused} refused",
            "longest from 202 to applied": f"{slowest}, outages left out; {proof.longest_seconds:.1f} s with them",
            "shortfalls open": str(proof.shortfalls),
            "drift": str(proof.drift),
            "verdict": verdict,
        }
        print("\n".join(f"| {name:<29} | {value}" for name, value in rows.items()), flush=True)
        return 1 if proof.differences else 0 if verdict == "RIGHT" else 2


def say(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
