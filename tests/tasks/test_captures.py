"""What Medusa 2.21 really sent, applied: to a ledger that knows nothing of it, and to one with the holds it names."""

from __future__ import annotations

import json
import re
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from bridge import db
from bridge.core import audits, holds
from bridge.ids import new_id
from bridge.platforms.medusa import order_id_of
from tasks.events import apply_event
from tests.factories import counters, future_day, make_hold, make_resource
from tests.tasks.conftest import look, receive

FIXTURES = Path(__file__).parents[1] / "fixtures" / "medusa"
CAPTURES = sorted(path.stem for path in FIXTURES.glob("[0-9]*.json"))

pytestmark = pytest.mark.usefixtures("settings")


class World:
    """Resources and live holds standing for those the captures name, and orders of its own."""

    def __init__(self) -> None:
        self.day = future_day()
        with db.transaction() as conn:
            self.tour, _ = make_resource(conn, capacity=40, days=1, first_day=self.day)
            self.guide, _ = make_resource(conn, capacity=40, days=1, first_day=self.day, type="GUIDE")
        self.names = {
            "res-tour-1": self.tour,
            "res-managed-1": self.tour,
            "res-guide-1": self.guide,
            "2026-12-24": str(self.day),
            '"BK-': f'"{new_id("book")}-',  # A booking number finds holds by itself.
        }

    def hold(self, name: str, quantity: int, resource_id: str | None = None) -> str:
        """A live hold, which captures call `name`."""
        with db.transaction() as conn:
            hold_id = make_hold(conn, resource_id or self.tour, [self.day], quantity)
        self.names[f'"{name}"'] = f'"{hold_id}"'
        return hold_id

    def pair(self, letter: str) -> tuple[str, str]:
        """What most captured orders name: two seats on the tour, and the guide."""
        return self.hold(f"hold-{letter}-0", 2), self.hold(f"hold-{letter}-1", 1, self.guide)

    def apply(self, number: str) -> dict[str, Any]:
        """Have the capture of this number applied; its event."""
        return apply(next(name for name in CAPTURES if name.startswith(f"{number}-")), self)

    def order_of(self, number: str) -> str:
        """The id that the order of a capture has here."""
        name = next(name for name in CAPTURES if name.startswith(f"{number}-"))
        order_id = order_id_of(json.loads(self.translate(body_of(name))))
        assert order_id is not None
        return order_id

    def translate(self, text: str) -> str:
        """A captured body as it would read had it been about this world."""
        for order_id in set(re.findall(r"order_\w+", text)) - set(self.names):
            self.names[order_id] = new_id("order")
        for captured, own in self.names.items():
            text = text.replace(captured, own)
        return text

    @property
    def sold(self) -> dict[str, tuple[int, int]]:
        """(held, allocated) of the tour and of the guide."""
        with db.transaction() as conn:
            return {"tour": counters(conn, self.tour)[0], "guide": counters(conn, self.guide)[0]}


@pytest.fixture
def world() -> World:
    return World()


def apply(name: str, world: World | None = None) -> dict[str, Any]:
    document = json.loads(world.translate(body_of(name)) if world else body_of(name))
    event_id = receive(document, order_id=order_id_of(document))
    apply_event(event_id)
    return look(event_id)


def body_of(name: str) -> str:
    body: str = json.loads((FIXTURES / f"{name}.json").read_text())["body"]
    return body


def status_of(hold_id: str) -> str:
    with db.transaction() as conn:
        return holds.get_hold(conn, hold_id).status


def allocations(order_id: str) -> list[tuple[str, int, str]]:
    with db.transaction() as conn:
        rows = conn.execute(
            "SELECT hold_id, quantity, status::text FROM allocation WHERE order_id = %s ORDER BY id", [order_id]
        )
        return [tuple(row.values()) for row in rows]


def drift() -> list[dict[str, Any]]:
    with db.transaction() as conn:
        return audits.audit(conn)


# -- all of them, in the order they came -------------------------------------------------------------------------------

# Payments, shipments, Medusa's own stock; carts without holds of ours, or in which nothing of ours changed.
IGNORED = {"01", "06", "10", "12", "13", "16", "25", "26", "29", "32", "33", "34", "46"}


def test_nothing_captured_is_left_pending_where_nothing_it_names_exists() -> None:
    events = {name: apply(name) for name in CAPTURES}

    for name, event in events.items():
        assert event["status"] in {"applied", "ignored", "failed"}, name
        assert event["outcome"] or event["error"], name
        assert event["attempts"] == 1, name
    assert events["07-order.placed"]["error_code"] == "unreadable_line"
    assert drift() == []


def test_everything_captured_is_understood_where_what_it_names_exists(world: World) -> None:
    for letter in ("A", "B", "C", "D", "H", "R1", "RK"):
        world.pair(letter)
    for name, quantity in (("hold-D-new", 1), ("hold-F-at-create", 2), ("hold-F-2", 1), ("hold-draft", 1)):
        world.hold(name, quantity)

    events = {name: apply(name, world) for name in CAPTURES}

    assert {name: (event["status"], event["error"]) for name, event in events.items()} == {
        name: ("ignored" if name[:2] in IGNORED else "applied", None) for name in CAPTURES
    }
    assert all(event["outcome"] for event in events.values())
    assert drift() == []


# -- one order's story each --------------------------------------------------------------------------------------------


def test_a_placed_order_gets_what_its_holds_held(world: World) -> None:
    tour, guide = world.pair("A")

    event = world.apply("07")

    assert (event["status"], event["error"]) == ("applied", None)
    assert world.sold == {"tour": (0, 2), "guide": (0, 1)}
    assert [status_of(tour), status_of(guide)] == ["CONFIRMED", "CONFIRMED"]
    assert allocations(event["order_id"]) == [(tour, 2, "CONFIRMED"), (guide, 1, "CONFIRMED")]


def test_a_placed_order_that_comes_twice_takes_nothing_twice(world: World) -> None:
    world.pair("A")

    events = [world.apply("07"), world.apply("07")]

    assert [event["error"] for event in events] == [None, None]
    assert world.sold == {"tour": (0, 2), "guide": (0, 1)}
    assert len(allocations(events[0]["order_id"])) == 2


def test_a_changed_address_or_note_changes_no_seat(world: World) -> None:
    world.pair("A")

    for number in ("07", "08", "09", "10", "11", "12", "13", "14"):
        world.apply(number)

    assert world.sold == {"tour": (0, 2), "guide": (0, 1)}


def test_what_was_returned_is_given_back(world: World) -> None:
    tour, guide = world.pair("A")
    for number in ("07", "14"):
        world.apply(number)

    event = world.apply("15")

    assert event["status"] == "applied"
    assert world.sold == {"tour": (0, 2), "guide": (0, 0)}
    assert allocations(event["order_id"]) == [(tour, 2, "CONFIRMED"), (guide, 0, "CANCELLED")]


def test_completing_and_archiving_an_order_gives_nothing_back(world: World) -> None:
    world.pair("A")

    for number in ("07", "15", "17", "18"):
        world.apply(number)

    assert world.sold == {"tour": (0, 2), "guide": (0, 0)}


def test_an_old_event_that_comes_late_does_not_undo_the_return(world: World) -> None:
    world.pair("A")
    for number in ("07", "15"):
        world.apply(number)

    late = world.apply("11")

    assert late["status"] == "ignored"
    assert world.sold == {"tour": (0, 2), "guide": (0, 0)}


@pytest.mark.parametrize(("number", "letter"), [("19", "B"), ("20", "C")])
def test_a_cancelled_order_gives_everything_back_once(world: World, number: str, letter: str) -> None:
    hold_ids = world.pair(letter)
    order_id = world.order_of(number)
    with db.transaction() as conn:
        for hold_id in hold_ids:
            holds.confirm_hold(conn, hold_id, order_id=order_id, line_item_id=None, actor="tests")

    first, again = world.apply(number), world.apply(number)

    assert [first["status"], again["error"]] == ["applied", None]
    assert world.sold == {"tour": (0, 0), "guide": (0, 0)}
    assert [status for _hold, _quantity, status in allocations(order_id)] == ["CANCELLED", "CANCELLED"]


@pytest.mark.parametrize(("number", "letter"), [("19", "B"), ("20", "C")])
def test_an_order_cancelled_before_it_was_seen_gives_back_what_was_held(world: World, number: str, letter: str) -> None:
    hold_ids = world.pair(letter)

    world.apply(number)

    assert [status_of(hold_id) for hold_id in hold_ids] == ["RELEASED", "RELEASED"]
    assert world.sold == {"tour": (0, 0), "guide": (0, 0)}


def test_an_edit_counts_when_it_is_confirmed(world: World) -> None:
    world.pair("D")
    added = world.hold("hold-D-new", 1, world.guide)

    requested = (world.apply("21"), world.sold)[1]
    removed = (world.apply("22"), world.sold)[1]
    changed = (world.apply("23"), world.sold)[1]
    cancelled = (world.apply("24"), world.sold)[1]

    assert requested == {"tour": (0, 2), "guide": (1, 1)}
    assert removed == {"tour": (0, 2), "guide": (1, 0)}
    assert changed == cancelled == {"tour": (0, 1), "guide": (0, 1)}
    assert status_of(added) == "CONFIRMED"


def test_stock_of_the_platforms_own_has_no_part_in_it(world: World) -> None:
    world.hold("hold-G-0", 3)

    sold = [(world.apply(number), world.sold["tour"])[1] for number in ("29", "30", "31", "32")]

    assert sold == [(3, 0), (0, 3), (0, 0), (0, 0)]


def test_what_a_claim_writes_off_is_given_back_and_an_exchange_of_something_else_is_not_ours(world: World) -> None:
    world.pair("H")

    sold = [(world.apply(number), world.sold)[1] for number in ("35", "36", "37", "38")]

    assert sold == [{"tour": (0, 2), "guide": (0, 1)}] * 2 + [{"tour": (0, 2), "guide": (0, 0)}] * 2


def test_a_draft_that_was_placed_counts_like_any_order(world: World) -> None:
    hold_id = world.hold("hold-draft", 1)

    world.apply("39")

    assert status_of(hold_id) == "CONFIRMED"
    assert world.sold["tour"] == (0, 1)


@pytest.mark.parametrize("numbers", list(permutations(["40", "41", "42"])), ids="-".join)
def test_a_cancel_wins_whatever_overtakes_it(world: World, numbers: tuple[str, ...]) -> None:
    hold_ids = world.pair("R1")

    events = [world.apply(number) for number in (*numbers, "43", "44")]

    assert [event["error"] for event in events] == [None] * 5
    assert world.sold == {"tour": (0, 0), "guide": (0, 0)}
    assert not {status_of(hold_id) for hold_id in hold_ids} & {"ACTIVE"}
    assert "CONFIRMED" not in {status for _hold, _quantity, status in allocations(events[0]["order_id"])}
    assert drift() == []


def test_a_line_taken_out_of_its_cart_gives_its_hold_back(world: World) -> None:
    dropped, kept = world.hold("hold-F-at-create", 2), world.hold("hold-F-2", 1)

    world.apply("27")
    event = world.apply("28")

    assert (event["status"], dropped in event["outcome"]) == ("applied", True)
    assert [status_of(dropped), status_of(kept)] == ["RELEASED", "ACTIVE"]
    assert world.sold["tour"] == (1, 0)


def test_a_cart_that_was_completed_leaves_its_holds_to_the_order(world: World) -> None:
    hold_ids = world.pair("RK")

    world.apply("45")
    event = world.apply("46")

    assert event["status"] == "ignored"
    assert [status_of(hold_id) for hold_id in hold_ids] == ["ACTIVE", "ACTIVE"]
