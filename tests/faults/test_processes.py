"""Processes are killed while customers race and orders come in; in the end everybody has what is theirs."""

from __future__ import annotations

import time

from tests.faults.faults import Faults
from tests.faults.load import under_load
from tests.faults.running import wait_until
from tests.faults.setups import ALONE, SETUPS, Stage, on

pytestmark = ALONE


@on(*SETUPS)
def test_a_worker_that_is_killed_again_and_again_loses_nothing(stage: Stage) -> None:
    with under_load(stage) as load:
        for _ in range(3):
            Faults(stage, load).kill("worker")

    assert load.proof.verdict(load.kills) == "RIGHT"
    assert load.proof.died > 0


@on("embedded")
def test_a_web_that_is_killed_under_load_is_asked_again(stage: Stage) -> None:
    with under_load(stage) as load:
        for _ in range(2):
            time.sleep(1)
            Faults(stage, load).kill("web")
        wait_until(lambda: stage.bridge.readyz()[0] == 200, 60, "the web did not come back")
        time.sleep(1)

    assert load.proof.verdict(load.kills) == "RIGHT"
    assert load.proof.unanswered > 0


@on("embedded")
def test_a_relay_that_is_killed_leaves_its_work_to_the_next(stage: Stage) -> None:
    with under_load(stage) as load:
        for _ in range(2):
            time.sleep(1)
            Faults(stage, load).kill("relay")

    assert load.proof.verdict(load.kills) == "RIGHT"


@on("embedded")
def test_no_beat_or_two_of_them_change_nothing(stage: Stage) -> None:
    with under_load(stage) as load:
        faults = Faults(stage, load)
        faults.kill("beat")
        faults.run_two_beats(6)

    assert load.proof.verdict(load.kills) == "RIGHT"
