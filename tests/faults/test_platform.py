"""The platform is slow, broken or busy while events say no more than an id: each order is right in the end."""

from __future__ import annotations

from itertools import pairwise

from tests.faults.faults import Faults
from tests.faults.load import under_load
from tests.faults.platform import RETRY_AFTER_SECONDS, Asked
from tests.faults.running import wait_until
from tests.faults.setups import ALONE, Stage, on
from tests.faults.truth import Order

pytestmark = ALONE


@on("embedded")
def test_orders_are_right_once_the_platform_is_whatever_it_answered_before(stage: Stage) -> None:
    with under_load(stage) as load:
        for trouble in ("500", "half", "wrong", "reset"):
            Faults(stage, load).trouble_platform(trouble, 2)

    assert {asked.answer for asked in stage.shop.asked} >= {"500", "half", "wrong", "reset"}


@on("embedded")
def test_a_platform_that_takes_ten_seconds_is_waited_for(stage: Stage) -> None:
    with under_load(stage) as load:
        Faults(stage, load).trouble_platform("slow", 5)

    assert "slow" in {asked.answer for asked in stage.shop.asked}


@on("embedded")
def test_a_platform_that_is_busy_is_left_alone_for_as_long_as_it_asks(stage: Stage) -> None:
    with under_load(stage, customers=0) as load:
        stage.shop.trouble = "429"
        order = load.traffic.place_order()
        wait_until(lambda: len(_asked(stage, order)) == 2, 30, "the platform was not asked again")
        stage.shop.trouble = None
        wait_until(lambda: len(_asked(stage, order)) == 3, 30, "the platform was not asked again")

    times = [asked.at for asked in _asked(stage, order)]
    assert [asked.answer for asked in _asked(stage, order)] == ["429", "429", "200"]
    assert min(later - earlier for earlier, later in pairwise(times)) >= RETRY_AFTER_SECONDS


def _asked(stage: Stage, order: Order) -> list[Asked]:
    return [asked for asked in stage.shop.asked if asked.order_id == order.id]
