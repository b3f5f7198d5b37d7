"""The end of every run: wait until the bridge is done, compare, and say what was proved."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg

from tests.faults.checker import compare
from tests.faults.ledger import Ledger, read_ledger
from tests.faults.running import RECOVERY_SECONDS, Bridge
from tests.faults.truth import Truth

Outage = tuple[datetime, datetime]  # From when to when something was kept away on purpose.


@dataclass(slots=True, kw_only=True)
class Proof:
    """What a run came to."""

    differences: list[str] = field(default_factory=list)
    sent: int = 0
    duplicated: int = 0
    shuffled: int = 0
    applied: int = 0
    ignored: int = 0
    died: int = 0  # Attempts that were killed in the middle.
    retried: int = 0
    unanswered: int = 0  # Posts and calls whose connection broke.
    unavailable: int = 0  # Answers that said come again.
    holds: int = 0
    refused: int = 0
    shortfalls: int = 0
    drift: int = 0
    slowest_seconds: float = 0.0  # From 202 to applied, less the outages in between.
    slowest_at: datetime | None = None
    longest_seconds: float = 0.0  # The same with them.

    def kills_in_the_middle(self) -> int:
        """How often somebody was at work and did not get to the end."""
        return self.died + self.unanswered

    def verdict(self, kills: Mapping[str, int]) -> str:
        """In one line. A run whose kills all found everybody idle is no proof of anything, and says so."""
        if self.differences:
            return f"WRONG: {len(self.differences)} differences"
        seen = {"worker": self.died, "web": self.unanswered, "database": self.retried + self.unavailable + self.died}
        idle = [kind for kind, evidence in seen.items() if kills.get(kind) and not evidence]
        if idle:
            return f"NOT PROVED: no kill of {' or '.join(idle)} found it at work"
        return "RIGHT"


def prove(
    bridge: Bridge, truth: Truth, *, outages: Sequence[Outage] = (), patience_seconds: float = RECOVERY_SECONDS
) -> Proof:
    """Wait until all is done, at most RECOVERY_SECONDS, and compare with the ledger. Never raises: it tells.

    `patience_seconds` is how long an event may have waited, outages left out.
    """
    _wait_until_done(bridge, truth, RECOVERY_SECONDS)
    try:
        with bridge.database() as conn, conn.transaction():
            ledger = read_ledger(conn, truth)
    except psycopg.Error as error:
        return Proof(differences=[f"the ledger cannot be read: {error}"])
    proof = measure(truth, ledger, outages)
    proof.differences = compare(truth, ledger, now=datetime.now(UTC))
    if proof.slowest_seconds > patience_seconds:
        proof.differences.append(f"an event was applied {proof.slowest_seconds:.0f} s after its 202, outages left out")
    return proof


def measure(truth: Truth, ledger: Ledger, outages: Sequence[Outage] = ()) -> Proof:
    """The figures of a run."""
    rows = list(ledger.events.values())
    proof = Proof(
        sent=len(truth.events),
        duplicated=sum(row.duplicates for row in rows),
        shuffled=sum(sent.shuffled for sent in truth.events.values()),
        applied=sum(row.status == "applied" for row in rows),
        ignored=sum(row.status == "ignored" for row in rows),
        died=sum(row.died for row in rows),
        retried=sum(row.retried for row in rows),
        unanswered=truth.unanswered_calls + sum(sent.unanswered for sent in truth.events.values()),
        unavailable=truth.unavailable_answers,
        holds=len(truth.holds),
        refused=truth.refused_holds,
        shortfalls=len({key[:2] for key in ledger.missing}),
        drift=len(ledger.findings),
    )
    for webhook_id, row in ledger.events.items():
        accepted_at = truth.events[webhook_id].accepted_at
        if accepted_at is not None and row.finished_at is not None:
            proof.longest_seconds = max(proof.longest_seconds, (row.finished_at - accepted_at).total_seconds())
            waited = _less_outages(accepted_at, row.finished_at, outages)
            if waited > proof.slowest_seconds:
                proof.slowest_seconds, proof.slowest_at = waited, accepted_at
    return proof


def _less_outages(start: datetime, end: datetime, outages: Sequence[Outage]) -> float:
    """Seconds from `start` to `end` in which nothing was kept away. Outages may overlap."""
    left, at = timedelta(), start
    for begin, over in sorted(outages):
        if begin >= end:
            break
        left += max(timedelta(), begin - at)
        at = max(at, over)
    return max(0.0, (left + max(timedelta(), end - at)).total_seconds())


def _wait_until_done(bridge: Bridge, truth: Truth, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if _is_done(bridge, truth):
                return
        except psycopg.Error:
            pass  # It may still be coming up.
        time.sleep(0.25)


def _is_done(bridge: Bridge, truth: Truth) -> bool:
    """Nothing is pending, and nothing that lapsed is still counted."""
    with bridge.database() as conn:
        row = conn.execute(
            "SELECT EXISTS (SELECT FROM event WHERE status = 'pending') AS pending, EXISTS (SELECT FROM hold"
            " WHERE status = 'ACTIVE' AND expires_at <= now() AND id = ANY (%s)) AS lapsed, now() AS now",
            [list(truth.holds)],
        ).fetchone()
    assert row is not None
    # Short holds that nobody pays for: their seats must come back too.
    soon = [hold for hold in truth.holds.values() if row["now"] < hold.expires_at < row["now"] + timedelta(seconds=10)]
    return not row["pending"] and not row["lapsed"] and not soon
