"""The checker is checked first: what it does not find, no run of faults can prove."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.faults.checker import compare
from tests.faults.ledger import EventRow, Ledger
from tests.faults.proof import Proof, measure
from tests.faults.truth import HoldKnown, Line, Order, Sent, Truth

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DAY = date(2030, 3, 1)
SEAT = ("res_1", DAY)


@pytest.fixture
def truth() -> Truth:
    """Three of four seats: two of an order with a hold, one held; and an order without a hold that came too late."""
    bought, open_ = (_hold(f"hold_{n}", quantity) for n, quantity in enumerate([2, 1]))
    line = Line(id="item_1", resource_id="res_1", days=(DAY,), quantity=2, hold=bought)
    late = Line(id="item_1", resource_id="res_1", days=(DAY,), quantity=2, may_be_short=True)
    bought.order_id = "order_1"
    return Truth(
        capacity={SEAT: 4},
        holds={hold.id: hold for hold in (bought, open_)},
        orders={
            "order_1": Order(id="order_1", email="a@example.test", lines=[line]),
            "order_2": Order(id="order_2", email="a@example.test", lines=[late]),
        },
        events={
            f"msg_{n}": Sent(
                webhook_id=f"msg_{n}", order_id=f"order_{n}", event_id=f"evt_{n}", accepted_at=NOW, posts=1, accepted=1
            )
            for n in (1, 2)
        },
    )


@pytest.fixture
def ledger() -> Ledger:
    """What the bridge should have made of it: the late order got the last seat, and lacks one."""
    return Ledger(
        events={f"msg_{n}": _row(f"evt_{n}") for n in (1, 2)},
        counters={SEAT: {"max_capacity": 4, "held": 1, "allocated": 3, "overbooked": 0}},
        journal={SEAT: (1, 3)},
        allocated={("order_1", "item_1", SEAT): 2, ("order_2", "item_1", SEAT): 1},
        missing={("order_2", "item_1", SEAT): 1},
        holds={"hold_0": ("CONFIRMED", False), "hold_1": ("ACTIVE", False)},
    )


def _hold(hold_id: str, quantity: int) -> HoldKnown:
    return HoldKnown(
        id=hold_id,
        email="a@example.test",
        resource_id="res_1",
        days=(DAY,),
        quantity=quantity,
        expires_at=NOW + timedelta(minutes=30),
    )


def _row(event_id: str) -> EventRow:
    return EventRow(
        id=event_id,
        status="applied",
        outcome=None,
        error=None,
        received_at=NOW,
        finished_at=NOW + timedelta(seconds=5),
        duplicates=0,
        died=0,
        retried=0,
        ended=1,
    )


def test_a_ledger_that_is_right_has_nothing_wrong(truth: Truth, ledger: Ledger) -> None:
    assert compare(truth, ledger, now=NOW) == []


def _lose_an_event(_truth: Truth, ledger: Ledger) -> None:
    del ledger.events["msg_1"]


def _leave_an_event_pending(_truth: Truth, ledger: Ledger) -> None:
    ledger.events["msg_1"] = replace(ledger.events["msg_1"], status="pending", finished_at=None, ended=0)


def _fail_an_event(_truth: Truth, ledger: Ledger) -> None:
    ledger.events["msg_1"] = replace(ledger.events["msg_1"], status="failed")


def _finish_an_event_twice(_truth: Truth, ledger: Ledger) -> None:
    ledger.events["msg_1"] = replace(ledger.events["msg_1"], ended=2)


def _store_a_repeat_as_new(truth: Truth, _ledger: Ledger) -> None:
    truth.events["msg_1"].event_id = "evt_9"


def _never_accept(truth: Truth, _ledger: Ledger) -> None:
    truth.events["msg_1"].accepted_at = None


def _forget_a_repeat(truth: Truth, _ledger: Ledger) -> None:
    truth.events["msg_1"].accepted = 2


def _forget_an_order(_truth: Truth, ledger: Ledger) -> None:
    del ledger.allocated["order_1", "item_1", SEAT]


def _apply_an_order_twice(_truth: Truth, ledger: Ledger) -> None:
    ledger.allocated["order_1", "item_1", SEAT] = 4


def _keep_a_cancelled_order(truth: Truth, _ledger: Ledger) -> None:
    truth.orders["order_1"].is_cancelled = True


def _hide_a_shortfall(_truth: Truth, ledger: Ledger) -> None:
    ledger.missing.clear()


def _lose_a_seat_that_was_held(truth: Truth, _ledger: Ledger) -> None:
    truth.orders["order_2"].lines[0].may_be_short = False


def _book_for_nobody(_truth: Truth, ledger: Ledger) -> None:
    ledger.allocated["order_2", "item_7", SEAT] = 1


def _oversell(truth: Truth, ledger: Ledger) -> None:
    truth.capacity[SEAT] = 3
    ledger.counters[SEAT]["max_capacity"] = 3


def _overbook(_truth: Truth, ledger: Ledger) -> None:
    ledger.counters[SEAT]["overbooked"] = 1


def _change_the_capacity(_truth: Truth, ledger: Ledger) -> None:
    ledger.counters[SEAT]["max_capacity"] = 5


def _leak_a_seat(_truth: Truth, ledger: Ledger) -> None:
    ledger.counters[SEAT]["held"] = 0


def _count_too_few(_truth: Truth, ledger: Ledger) -> None:
    ledger.counters[SEAT]["allocated"] = 2


def _lose_a_page_of_the_journal(_truth: Truth, ledger: Ledger) -> None:
    ledger.journal[SEAT] = (1, 1)


def _lose_a_hold(_truth: Truth, ledger: Ledger) -> None:
    del ledger.holds["hold_1"]


def _expire_a_hold_too_early(_truth: Truth, ledger: Ledger) -> None:
    ledger.holds["hold_1"] = ("EXPIRED", True)


def _keep_a_released_hold(truth: Truth, _ledger: Ledger) -> None:
    truth.holds["hold_1"].released = True


def _find_drift(_truth: Truth, ledger: Ledger) -> None:
    ledger.findings.append({"check": "counters"})


def _leave_work_undone(_truth: Truth, ledger: Ledger) -> None:
    ledger.unfinished.append("evt_9 mail failed: no")


def _repair_by_hand(_truth: Truth, ledger: Ledger) -> None:
    ledger.repairs = 1


def _answer_500(truth: Truth, _ledger: Ledger) -> None:
    truth.surprise("a hold was answered 500")


@pytest.mark.parametrize(
    "break_it",
    [
        _lose_an_event,
        _leave_an_event_pending,
        _fail_an_event,
        _finish_an_event_twice,
        _store_a_repeat_as_new,
        _never_accept,
        _forget_a_repeat,
        _forget_an_order,
        _apply_an_order_twice,
        _keep_a_cancelled_order,
        _hide_a_shortfall,
        _lose_a_seat_that_was_held,
        _book_for_nobody,
        _oversell,
        _overbook,
        _change_the_capacity,
        _leak_a_seat,
        _count_too_few,
        _lose_a_page_of_the_journal,
        _lose_a_hold,
        _expire_a_hold_too_early,
        _keep_a_released_hold,
        _find_drift,
        _leave_work_undone,
        _repair_by_hand,
        _answer_500,
    ],
)
def test_whatever_is_broken_is_found(truth: Truth, ledger: Ledger, break_it: Callable[[Truth, Ledger], None]) -> None:
    break_it(truth, ledger)

    assert compare(truth, ledger, now=NOW) != []


def test_a_hold_whose_time_is_over_may_have_expired(truth: Truth, ledger: Ledger) -> None:
    ledger.holds["hold_1"] = ("EXPIRED", True)
    ledger.counters[SEAT]["held"], ledger.journal[SEAT] = 0, (0, 3)

    assert compare(truth, ledger, now=NOW + timedelta(hours=1)) == []


def test_outages_do_not_count_as_waiting(truth: Truth, ledger: Ledger) -> None:
    def at(second: int) -> datetime:
        return NOW + timedelta(seconds=second)

    waited = [
        measure(truth, ledger, outages).slowest_seconds
        for outages in ([], [(at(-5), at(2))], [(at(1), at(3)), (at(2), at(4))], [(at(1), at(9))], [(at(7), at(9))])
    ]

    assert waited == [5, 3, 2, 1, 5]


def test_a_run_in_which_nobody_was_killed_at_work_proves_nothing(truth: Truth, ledger: Ledger) -> None:
    quiet = measure(truth, ledger)
    ledger.events["msg_1"] = replace(ledger.events["msg_1"], died=1)
    busy = measure(truth, ledger)

    assert quiet.verdict({"worker": 3, "relay": 1}) == "NOT PROVED: no kill of worker found it at work"
    assert quiet.verdict({"web": 1, "database": 1}) == "NOT PROVED: no kill of web or database found it at work"
    assert quiet.verdict({}) == "RIGHT"
    assert busy.verdict({"worker": 3}) == "RIGHT"
    assert Proof(differences=["a seat is gone"], died=1).verdict({"worker": 1}) == "WRONG: 1 differences"
