"""That what every event asks goes by an index, however little there is: a plan that is kept is kept as tables grow."""

from __future__ import annotations

from bridge import db, sql
from bridge.core import audits

HOLDS = "1_lock_order_holds"
PARAMETERS = {
    "p_source": "text",
    "p_order_id": "text",
    "p_hold_ids": "text[]",
    "p_booking_number": "text",
    "p_line_prefix": "text",
    "p_line_keys": "text[]",
}


def test_the_holds_of_an_order_are_found_by_indexes(database_url: str) -> None:
    query = dict(sql.read_functions())[HOLDS].split("RETURN QUERY")[1].split(";")[0]
    for number, name in enumerate(PARAMETERS, start=1):
        query = query.replace(name, f"${number}")

    with db.transaction() as conn:
        conn.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        conn.execute("SET LOCAL enable_seqscan = off")
        conn.execute(f"PREPARE holds ({', '.join(PARAMETERS.values())}) AS {query}".encode(), prepare=False)
        rows = conn.execute(b"EXPLAIN EXECUTE holds (NULL, NULL, NULL, NULL, NULL, NULL)", prepare=False).fetchall()
        conn.execute("DEALLOCATE holds")

    plan = [row["QUERY PLAN"] for row in rows]
    assert any("Index Scan using shortfall_by_hold" in line for line in plan)
    assert [line for line in plan if "Seq Scan" in line] == []


def test_the_auditor_looks_claims_up_by_indexes(database_url: str) -> None:
    everything = {"after_hold_id": "", "until_hold_id": "z"}
    with db.transaction() as conn, conn.transaction():
        audits.audit(conn)

        # As the auditor has it in its transaction.
        rows = conn.execute("EXPLAIN " + audits.queries.find_hold_drift, everything, prepare=False).fetchall()

    plan = [row["QUERY PLAN"] for row in rows]
    assert [line for line in plan if "Seq Scan on claim" in line] == []
    assert any("on claim" in line for line in plan)
