"""PostgreSQL restarts, hangs up, keeps a row locked: who was told 2xx is served, everybody else told 503."""

from __future__ import annotations

import signal
import time

from tests.faults.faults import Faults
from tests.faults.load import under_load
from tests.faults.running import wait_until
from tests.faults.setups import ALONE, Stage, on

pytestmark = ALONE


def says_that_the_database_is_unwell(stage: Stage) -> None:
    """/readyz: 503, and of all parts the database."""

    def is_told() -> bool:
        status, checks = stage.bridge.readyz()
        return status == 503 and checks["database"] != "ok"

    wait_until(is_told, 30, lambda: f"not told: {stage.bridge.readyz()}")


@on("embedded", "redis")
def test_a_fast_restart_of_the_database_loses_nothing(stage: Stage) -> None:
    with under_load(stage) as load:
        faults = Faults(stage, load)
        time.sleep(2)
        faults.restart_database(signal.SIGINT)
        faults.wait_until_well()
        time.sleep(2)


@on("embedded", "redis")
def test_an_immediate_shutdown_of_the_database_loses_nothing(stage: Stage) -> None:
    with under_load(stage) as load:
        faults = Faults(stage, load, lambda: says_that_the_database_is_unwell(stage))
        time.sleep(2)
        faults.restart_database(signal.SIGQUIT, 4)
        faults.wait_until_well()
        time.sleep(2)

    assert load.proof.unavailable > 0


@on("embedded")
def test_connections_that_are_cut_are_opened_again(stage: Stage) -> None:
    with under_load(stage) as load:
        for _ in range(3):
            time.sleep(1)
            Faults(stage, load).cut_connections()


@on("embedded")
def test_a_lock_that_somebody_forgot_is_waited_out(stage: Stage) -> None:
    with under_load(stage) as load:
        time.sleep(2)
        Faults(stage, load).hold_a_lock(10)
        time.sleep(1)

    assert load.proof.unavailable > 0
