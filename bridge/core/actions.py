"""What people did: written in the transaction of the deed, never edited."""

from __future__ import annotations

from bridge.db import Connection


def note(conn: Connection, *, actor: str, action: str, target: str, reason: str | None = None) -> None:
    """Write down that `actor` did `action` to `target`: an event's id, a queue's name, a shortfall's id."""
    conn.execute(
        "INSERT INTO ops_action (actor, action, target, reason) VALUES (%s, %s, %s, %s)",
        [actor, action, target, reason],
    )
