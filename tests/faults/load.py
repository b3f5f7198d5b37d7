"""A stretch of traffic with a proof at its end: what every test of a fault is made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from tests.conftest import ADMIN_KEY, WEBHOOK_SECRET
from tests.faults.platform import Platform
from tests.faults.proof import Outage, Proof, prove
from tests.faults.running import Bridge
from tests.faults.traffic import Traffic

_seeds = count(1)


@dataclass(slots=True)
class Load:
    """What is known of it while it runs, and `proof` when it has ended well."""

    traffic: Traffic
    kills: int = 0
    outages: list[Outage] = field(default_factory=list)
    proof: Proof = field(default_factory=Proof)


@contextmanager
def under_load(bridge: Bridge, shop: Platform) -> Iterator[Load]:
    """Customers and a platform at work inside; then nothing may be lost, doubled, oversold or left lying."""
    traffic = Traffic(bridge.url, secret=WEBHOOK_SECRET, admin_key=ADMIN_KEY, platform=shop, seed=next(_seeds))
    load = Load(traffic)
    try:
        yield load
    finally:
        truth = traffic.stop()
    load.proof = prove(bridge, truth, outages=load.outages)
    assert load.proof.differences == [], bridge.log()[-3000:]
    assert load.proof.verdict(kills=load.kills) == "RIGHT"
    assert load.proof.applied > 0
