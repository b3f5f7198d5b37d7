"""Whether size is felt: a large ledger beside a small one, and an inbox of millions of events."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from statistics import median
from typing import Any

from benchmarks.filling import fill_capacity, fill_events, settle_down
from benchmarks.loads import COLUMNS, carry_out, describe, sum_up
from benchmarks.stage import Stage, Web, database, web
from benchmarks.targets import Target
from bridge import db
from bridge.core import events as inbox
from bridge.core import keys

FEW_ROWS = 10_000
SOLD = 1000  # Resources of a ledger that are sold and read: of the large one's, spread over all of it.
MOST_APART = 0.15
MOST_PAGE_MS = 100
ASKED = 7  # How often each page is asked for; the median counts.
CAME = 100  # Events a second that a busy bridge receives: so many it must be able to forget.
# The share of its time in which upkeep may forget: BUDGET_SECONDS of tasks/maintenance.py in each turn of purge_old.
PURGING = 30 / 600
PURGED_SECONDS = 10  # How long it is measured.
MOST_LOCKED_MS = 500  # How long a batch may take: so long its events are locked.
# What ops asks of /ops/api. {deep} is further down than anybody turns pages.
PAGES = {
    "all": "events",
    "all, deep": "events?offset={deep}",
    "failed": "events?status=failed",
    "applied, deep": "events?status=applied&offset={deep}",
    "of a type": "events?type=order.updated",
    "of a type, deep": "events?type=order.updated&offset={deep}",
    "of an order": "events?order_id=order_{order}",
    "of a source": "events?source=stripe",
    "a word that some have": "events?q=no+such+hold",
    "a word that none has": "events?q=nowhere",
    "a word among the failed": "events?status=failed&q=nowhere",
    "an order as a word": "events?q=order_{order}",
    "a key as a word": "events?q=msg_{number:024}",
    "overview": "overview",
    "queues": "queues",
}


def measure_scale(
    ground: Stage, _served: Web, *, seconds: float, rounds: int, rows: int, events: int, **_options: Any
) -> dict[str, Any]:
    """Sales and reading at FEW_ROWS and at `rows` slots, in turns; ops' pages and forgetting at `events` events."""
    with ExitStack() as stack:
        small, large = (stack.enter_context(_empty(ground)) for _ in range(2))
        started = time.monotonic()
        with ThreadPoolExecutor(1) as beside:
            filled = beside.submit(fill_events, large.database_url, events)
            small = replace(small, resources=_some(fill_capacity(small.database_url, FEW_ROWS, small.first_date)))
            large = replace(large, resources=_some(fill_capacity(large.database_url, rows, large.first_date)))
            filled.result()
        for stage in (small, large):
            settle_down(stage.database_url)
        took = time.monotonic() - started
        print(f"{rows:,} slots and {events:,} events made in {took:.0f} s")
        served = [stack.enter_context(web(stage.database_url)) for stage in (small, large)]
        cases, apart = _compare([(small, served[0]), (large, served[1])], rows, seconds=seconds, rounds=rounds)
        pages = _read_pages(large, served[1], events)
        purged, longest = _purge(large)
    slowest = max(pages, key=lambda name: pages[name])
    targets = [
        Target(
            f"{what} at {rows:,} slots ÷ {FEW_ROWS:,}", f"{ratio:.2f}", f"≥ {1 - MOST_APART}", ratio >= 1 - MOST_APART
        )
        for what, ratio in apart.items()
    ]
    slow = f"{pages[slowest]:.0f} ms ({slowest})"
    return {
        **cases,
        "filled_seconds": took,
        "pages_ms": pages,
        "purged_per_second": purged,
        "targets": [
            *targets,
            Target(f"slowest page of {events:,} events", slow, f"< {MOST_PAGE_MS} ms", pages[slowest] < MOST_PAGE_MS),
            Target("events forgotten, all told", f"{purged * PURGING:,.0f}/s", f"≥ {CAME}/s", purged * PURGING >= CAME),
            Target("the longest it locks", f"{longest:.0f} ms", f"< {MOST_LOCKED_MS} ms", longest < MOST_LOCKED_MS),
        ],
    }


@contextmanager
def _empty(ground: Stage) -> Iterator[Stage]:
    """A database beside the stage's own."""
    with database(ground.database_url) as url:
        db.migrate(url)
        with db.connect(url) as conn:
            _key, secret = keys.create_key(conn, name="benchmarks", scopes=["system", "ops"])
        yield replace(ground, database_url=url, api_key=secret)


def _some(resources: Sequence[str]) -> Sequence[str]:
    return resources[:: max(1, len(resources) // SOLD)]


def _compare(
    grounds: Sequence[tuple[Stage, Web]], rows: int, *, seconds: float, rounds: int
) -> tuple[dict[str, Any], dict[str, float]]:
    """The loads of each size by name; and of each load the rate at the larger size as a share of the smaller's."""
    print(f"{'scale':<36}{'HTTP/s':>9}{COLUMNS}")
    sizes = (f"{FEW_ROWS:,}", f"{rows:,}")
    loads = {"holds": "place", "availability": "read"}
    turns: dict[tuple[str, str], list[dict[str, Any]]] = {(what, size): [] for what in loads for size in sizes}
    for n in range(1, rounds + 1):
        for what, scenario in loads.items():
            for size, (ground, served) in zip(sizes, grounds, strict=True):
                turns[what, size].append(carry_out(ground, served, scenario=scenario, seconds=seconds, seed=n))
                turn = turns[what, size][-1]
                print(f"{f'{what}, {size}, round {n}':<36}{turn['per_second']:>9,.0f}{describe(turn)}")
    cases = {f"{what} at {size}": sum_up(measured) for (what, size), measured in turns.items()}
    apart = {
        what: median(
            large["per_second"] / small["per_second"]
            for small, large in zip(turns[what, sizes[0]], turns[what, sizes[1]], strict=True)
        )
        for what in loads
    }
    return cases, apart


def _read_pages(ground: Stage, served: Web, events: int) -> dict[str, float]:
    """The median time of each page in milliseconds, as somebody next to the server has it."""
    values = {"deep": min(100_000, events // 10), "order": events // 7, "number": events // 3}
    connection = http.client.HTTPConnection("127.0.0.1", served.port)
    took = {}
    for name, path in PAGES.items():
        times = []
        for _ in range(ASKED):
            started = time.perf_counter()
            connection.request(
                "GET", "/ops/api/" + path.format(**values), headers={"Authorization": f"Bearer {ground.api_key}"}
            )
            answer = connection.getresponse()
            body = answer.read()
            times.append(1000 * (time.perf_counter() - started))
            assert answer.status == 200, f"{path}: {answer.status} {body[:200]!r}"
        took[name] = round(median(times), 1)
        print(f"{name:<28}{took[name]:>9.1f} ms")
    return took


def _purge(ground: Stage) -> tuple[float, float]:
    """How many old events a second are forgotten as upkeep does it, and the longest batch in milliseconds."""
    with db.connect(ground.database_url) as conn:
        started, gone, longest = time.perf_counter(), 0, 0.0
        while (now := time.perf_counter()) < started + PURGED_SECONDS:
            purged = inbox.purge_events(conn)
            if not purged:
                break
            gone += purged
            longest = max(longest, time.perf_counter() - now)
        rate = gone / (time.perf_counter() - started)
    print(f"{'events forgotten':<28}{rate:>9,.0f} /s, {1000 * longest:.0f} ms the longest batch\n")
    return rate, 1000 * longest
