"""The broker goes away, comes back with nothing, or takes nothing: it only wakes people up, so nothing is lost."""

from __future__ import annotations

from tests.faults.faults import Faults
from tests.faults.load import under_load
from tests.faults.running import wait_until
from tests.faults.setups import ALONE, SETUPS, Stage, on

pytestmark = ALONE
AWAY_SECONDS = 4.0  # Half a minute in `make soak`.


def says_that_the_broker_is_unwell(stage: Stage) -> None:
    """/readyz: 503, and of all parts the broker."""

    def is_told() -> bool:
        status, checks = stage.bridge.readyz()
        return status == 503 and checks["broker"] != "ok" and checks["database"] == checks["migrations"] == "ok"

    wait_until(is_told, 30, lambda: f"not told: {stage.bridge.readyz()}")


@on("embedded", "rabbitmq")
def test_a_broker_that_is_away_delays_and_loses_nothing(stage: Stage) -> None:
    with under_load(stage) as load:
        faults = Faults(stage, load, lambda: says_that_the_broker_is_unwell(stage))
        faults.take_broker_away(AWAY_SECONDS)
        faults.wait_until_well()


@on(*SETUPS)
def test_a_broker_that_comes_back_empty_is_rung_again(stage: Stage) -> None:
    with under_load(stage) as load:
        faults = Faults(stage, load, lambda: says_that_the_broker_is_unwell(stage))
        faults.take_broker_away(AWAY_SECONDS, empty=True)
        faults.wait_until_well()


@on(*SETUPS)
def test_a_broker_that_is_full_delays_and_loses_nothing(stage: Stage) -> None:
    with under_load(stage) as load:
        faults = Faults(stage, load, lambda: says_that_the_broker_is_unwell(stage))
        faults.fill_broker(AWAY_SECONDS)
        faults.wait_until_well()
