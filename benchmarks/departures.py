"""A departure with hundreds of bookings that does not run: how long until all are cancelled or moved."""

from __future__ import annotations

import time as clock
from datetime import time
from statistics import median
from typing import Any

from benchmarks.stage import Stage, Web, settle
from benchmarks.targets import Target
from bridge import db
from bridge.core import slot_cancellations
from bridge.ids import new_id
from tests.waiting import make_booking, make_slot, make_tour, slot_id_of

BOOKINGS = 500
MOVED = 400  # Of them, where there is an alternative: so many seats it has.
MOST_STEP_MS = 1000  # A step locks the departure. Whoever wants a seat meanwhile waits three seconds before a 503.


def measure_cancellations(ground: Stage, _served: Web, *, rounds: int, **_options: Any) -> dict[str, Any]:
    """All of a departure's bookings cancelled; and of another's, as many moved as the alternative has seats for."""
    print(f"{f'{BOOKINGS} bookings':<28}{'seconds':>9}{'steps':>9}{'longest ms':>12}")
    cases = {"cancelled": 0, "moved": MOVED}
    turns: dict[str, list[dict[str, Any]]] = {case: [] for case in cases}
    for n in range(1, rounds + 1):
        for case, seats in cases.items():
            turns[case].append(_cancel(ground, seats))
            turn = turns[case][-1]
            print(f"{f'{case}, round {n}':<28}{turn['seconds']:>9.1f}{turn['steps']:>9}{turn['longest_ms']:>12.0f}")
    print()
    seconds = {case: median(turn["seconds"] for turn in measured) for case, measured in turns.items()}
    longest = max(turn["longest_ms"] for measured in turns.values() for turn in measured)
    return {
        "turns": turns,
        "targets": [
            Target(f"a departure of {BOOKINGS} bookings cancelled", f"{seconds['cancelled']:.1f} s", "", True),
            Target(f"the same, {MOVED} of them moved", f"{seconds['moved']:.1f} s", "", True),
            Target("longest step of these", f"{longest:.0f} ms", f"< {MOST_STEP_MS:,} ms", longest < MOST_STEP_MS),
        ],
    }


def _cancel(ground: Stage, seats: int) -> dict[str, Any]:
    """Cancel a departure of BOOKINGS paid bookings, with an alternative of so many `seats`, as the worker does."""
    with db.connect(ground.database_url) as conn:
        tour_id = make_tour(conn)
        slot_no = make_slot(conn, tour_id, capacity=BOOKINGS)
        alternative = slot_id_of(conn, make_slot(conn, tour_id, capacity=seats, at=time(14))) if seats else None
        for _ in range(BOOKINGS):
            with conn.transaction():
                make_booking(conn, tour_id, slot_no, order_id=new_id("order"))
        settle(ground.database_url)
        slot_id = slot_id_of(conn, slot_no)
        started = clock.perf_counter()
        steps = []
        with conn.transaction():
            slot_cancellations.begin(conn, slot_id, reason="Storm", alternative_slot_id=alternative, actor="benchmarks")
        while True:
            step_started = clock.perf_counter()
            with conn.transaction():
                is_more = slot_cancellations.take_step(conn, slot_no)
            if not is_more:
                break
            steps.append(clock.perf_counter() - step_started)
        done = slot_cancellations.get_cancellation(conn, slot_id)
    assert (done.moved, done.cancelled) == (seats, BOOKINGS - seats), f"{done.moved} moved, {done.cancelled} cancelled"
    return {"seconds": clock.perf_counter() - started, "steps": len(steps), "longest_ms": 1000 * max(steps)}
