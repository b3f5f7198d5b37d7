"""Whether a platform and the ledger agree on an order: which orders are compared next, and what is the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bridge import sql
from bridge.db import Connection
from bridge.rules.orders import KnownOrder, OrderFacts, is_superseded, order_from_json

queries = sql.load("comparisons")

WINDOW = 1000


def next_orders(conn: Connection, *, source: str, limit: int) -> tuple[list[str], str]:
    """Up to `limit` orders to compare next, and where to go on after them: "" is the beginning."""
    rows = conn.execute(queries.list_next_orders, {"source": source, "window": WINDOW}).fetchall()
    ahead = [row["order_id"] for row in rows if row["is_ahead"]]
    if len(ahead) > limit:
        return ahead[:limit], ahead[limit - 1]
    return ahead, rows[-1]["order_id"] if len(rows) == WINDOW else ""


def standing(conn: Connection, *, source: str, order_ids: Sequence[str]) -> list[str]:
    """Those of these orders that still have something here."""
    rows = conn.execute(queries.list_standing, {"source": source, "order_ids": list(order_ids)})
    return [row["order_id"] for row in rows]


def remember(conn: Connection, *, source: str, compared_to: str) -> None:
    """Keep where the next comparison goes on."""
    conn.execute(queries.remember_comparison, {"source": source, "compared_to": compared_to})


def agrees(conn: Connection, facts: OrderFacts) -> bool:
    """Whether what a platform shows of an order is what was last seen of it, or older, as far as it matters here."""
    row = conn.execute(queries.find_order, {"source": facts.source, "order_id": facts.id}).fetchone()
    if row is None:
        return False
    is_cancelled = row["cancelled_at"] is not None
    if is_cancelled or facts.is_cancelled:
        return is_cancelled
    known = KnownOrder(version=row["version"], updated_at=row["updated_at"], is_cancelled=is_cancelled)
    if is_superseded(facts, known):
        return True
    return row["facts"] is not None and _essence(order_from_json(row["facts"])) == _essence(facts)


def _essence(facts: OrderFacts) -> OrderFacts:
    lines = tuple(replace(line, title="", unit_price=None) for line in facts.lines)
    return replace(facts, version=None, updated_at=None, email=None, lines=lines)
