"""A stretch of traffic with a proof at its end: what every test of a fault is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.conftest import ADMIN_KEY, WEBHOOK_SECRET
from tests.faults.proof import Outage, Proof, prove
from tests.faults.setups import Stage
from tests.faults.traffic import Traffic

_seeds = count(1)


@dataclass(slots=True)
class Load:
    """What is known of it while it runs, and `proof` when it has ended well."""

    traffic: Traffic
    kills: Counter[str] = field(default_factory=Counter)
    outages: list[Outage] = field(default_factory=list)
    proof: Proof = field(default_factory=Proof)


def start_load(stage: Stage, *, seed: int, customers: int = 4, **options: Any) -> Load:
    """Customers and a platform at work, until `load.traffic.stop()`."""
    traffic = Traffic(
        stage.bridge.url,
        secret=WEBHOOK_SECRET,
        admin_key=ADMIN_KEY,
        platform=stage.shop,
        seed=seed,
        customers=customers,
        **options,
    )
    return Load(traffic)


@contextmanager
def under_load(stage: Stage, *, customers: int = 4) -> Iterator[Load]:
    """Customers and a platform at work inside; then nothing may be lost, doubled, oversold or left lying."""
    load = start_load(stage, seed=next(_seeds), customers=customers)
    try:
        yield load
    finally:
        truth = load.traffic.stop()
    load.proof = prove(stage.bridge, truth, outages=load.outages)
    assert load.proof.differences == [], _describe(load.proof, stage)
    assert load.proof.applied > 0


def _describe(proof: Proof, stage: Stage) -> str:
    shown = "\n".join(proof.differences[:20])
    return f"{len(proof.differences)} differences:\n{shown}\n\n{stage.bridge.log()[-2000:]}"
