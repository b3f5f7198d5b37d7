"""Two hosts, each with a web, a relay and a worker, on one database and broker.

Whether they do more than one, and whether all that was promised holds when one of them is lost at work.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import client, network
from benchmarks.client import Plan, Result
from benchmarks.network import Host
from benchmarks.stage import DAYS, Stage, Web, new_webhook_secret, program, settle, stage, web
from benchmarks.targets import Target
from bridge import db
from bridge.core import audits

USERS = 32
PACE = 100  # Requests a second while a host is lost: what one alone does easily.
# A small host has one process of each, so that one alone does not fill the cores that all share with the database.
SMALL = {"WEB_PROCESSES": "1", "WORKER_PROCESSES": "1"}
PATIENCE_SECONDS = 180  # More than it takes until a lost worker's claim ends, and a cut connection's transaction.
LOSSES: Mapping[str, Callable[[Host], None]] = {"killed": Host.kill, "cut off": Host.cut_off}


@dataclass(frozen=True)
class Site:
    """Two hosts at work."""

    ground: Stage
    hosts: Sequence[Host]
    port: int
    webhook_secret: str

    def load(self, scenario: str, *, hosts: Sequence[Host], seconds: float, pace: float = 0, seed: int = 1) -> Result:
        """Carry out a load on these hosts; whoever loses his goes on to the next."""
        return client.run(
            Plan(
                scenario=scenario,
                port=self.port,
                hosts=[host.address for host in hosts],
                failover=True,
                connections=USERS,
                seconds=seconds,
                pace=pace,
                resources=self.ground.resources,
                first_date=self.ground.first_date.isoformat(),
                days=DAYS,
                api_key=self.ground.api_key,
                webhook_secret=self.webhook_secret,
                seed=seed,
            )
        )


def measure_hosts(_ground: Stage, _served: Web, *, seconds: float, rounds: int, **_options: Any) -> dict[str, Any]:
    """The same crowd on one host and on two; then one of two is killed, and one of two is cut off."""
    if reason := network.why_not():
        print(f"two hosts: left out, for {reason}\n")
        return {"targets": [Target("two hosts", "left out", "", True)]}
    scaling = _scale(seconds, rounds)
    losses = {name: _lose(name, lose, seconds) for name, lose in LOSSES.items()}
    print()
    return {
        "one host": {"rounds": scaling["one"]},
        "two hosts": {"rounds": scaling["two"]},
        "losses": losses,
        "errors": sum(loss["unexpected"] + loss["findings"] for loss in losses.values()),
        "targets": [
            Target("two hosts ÷ one", f"{scaling['ratio']:.2f} ({scaling['per_second']:,.0f}/s)", "", True),
            *(
                Target(
                    f"promises lost with a host {name}",
                    f"{loss['lost']} of {loss['promised']:,}",
                    "0, all applied once",
                    loss["lost"] == 0,
                )
                for name, loss in losses.items()
            ),
        ],
    }


def _scale(seconds: float, rounds: int) -> dict[str, Any]:
    turns: dict[str, list[dict[str, Any]]] = {"one": [], "two": []}
    with _site() as site:
        for n in range(1, rounds + 1):
            for name, hosts in {"one": site.hosts[:1], "two": site.hosts}.items():
                settle(site.ground.database_url)
                turn = vars(site.load("mixed", hosts=hosts, seconds=seconds, seed=n))
                turns[name].append(turn)
                p95 = turn["latency"]["p95"]
                print(f"{f'hosts: {name}, round {n}':<28}{turn['per_second']:>9,.0f}/s, p95 {p95:.1f} ms")
    rates = {name: [turn["per_second"] for turn in measured] for name, measured in turns.items()}
    ratio = median(two / one for one, two in zip(rates["one"], rates["two"], strict=True))
    return {**turns, "ratio": ratio, "per_second": median(rates["two"])}


def _lose(name: str, lose: Callable[[Host], None], seconds: float) -> dict[str, Any]:
    """What became of all that was promised before, while and after the second host was lost."""
    with _site() as site:
        # A third of the way: whoever is left has to make up for it for as long again.
        clock = threading.Timer(seconds, lose, [site.hosts[1]])
        clock.start()
        result = site.load("shop", hosts=site.hosts, seconds=3 * seconds, pace=PACE)
        clock.join()
        ended = time.monotonic()
        lost = _count_lost(site.ground, result.told)
        while any(lost.values()) and time.monotonic() < ended + PATIENCE_SECONDS:
            time.sleep(0.5)
            lost = _count_lost(site.ground, result.told)
        settled = time.monotonic() - ended
        site.hosts[1].kill()  # What is cut off would take its time to stop.
        with db.connect(site.ground.database_url) as conn:
            findings = len(audits.audit(conn))
    promised = sum(map(len, result.told.values()))
    print(
        f"{f'hosts: one {name}':<28}{promised:>9,} promises, {result.moved} failed over, p99"
        f" {result.latency['p99']:.0f} ms, lost {lost}, settled after {settled:.1f} s"
    )
    return {
        "promised": promised,
        "lost": sum(lost.values()),
        "lost_by_kind": lost,
        "moved": result.moved,
        "latency": result.latency,
        "settled_seconds": settled,
        "unexpected": result.errors,
        "findings": findings,
    }


def _count_lost(ground: Stage, told: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Of holds answered 201 and orders answered 202, how many are not there, or have not had their effect just once."""
    with db.connect(ground.database_url) as conn:
        row = db.one(
            conn.execute(
                """
                SELECT
                    (SELECT count(*) FROM unnest(%(holds)s::text[]) AS t (id)
                        WHERE NOT EXISTS (SELECT FROM hold h WHERE h.id = t.id)) AS holds,
                    (SELECT count(*) FROM unnest(%(orders)s::text[]) AS t (id)
                        WHERE NOT EXISTS (SELECT FROM event e WHERE e.order_id = t.id)) AS events,
                    (SELECT count(*) FROM unnest(%(orders)s::text[]) AS t (id)
                        WHERE 1 <> (SELECT count(*) FROM allocation a JOIN journal j ON j.hold_id = a.hold_id
                            WHERE a.order_id = t.id AND a.status = 'CONFIRMED' AND j.allocated_change = 1)) AS effects,
                    (SELECT count(*) FROM event e WHERE e.order_id = ANY (%(orders)s) AND 1 <> (
                        SELECT count(*) FROM attempt a WHERE a.event_id = e.id AND a.outcome = 'applied')) AS attempts
                """,
                dict(told),
            )
        )
    return dict(row)


@contextmanager
def _site() -> Iterator[Site]:
    secret = new_webhook_secret()
    with network.hosts(2) as hosts, stage(network.servers()) as ground, ExitStack() as stack:
        settings = {"BROKER_URL": ground.broker_url, "WEBHOOK_SECRETS": secret, **SMALL}
        port = 0
        for host in hosts:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bridge-bench-")))
            served = web(ground.database_url, host=host.address, port=port, prefix=host.prefix, **settings)
            port = stack.enter_context(served).port
            for name in ("relay", "worker"):
                stack.enter_context(program(name, ground.database_url, folder, prefix=host.prefix, **settings))
        yield Site(ground, hosts, port, secret)
