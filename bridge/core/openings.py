"""The rules of when staff can be booked: made, changed, taken away, and whom a change would leave outside of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from bridge import sql
from bridge.db import Connection
from bridge.errors import InvalidData, RuleNotFound, StaffNotFound
from bridge.ids import new_id
from bridge.rules.openings import DAY_MINUTES, Hours, Rule, Taken, find_starts, local_date, shape_of
from bridge.rules.slots import quarter_slot

queries = sql.load("openings")

SHOWN = 100  # Conflicts that are named: more than anybody sees to in one go.
_NOTHING = Taken()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningRule:
    """A rule as it is kept. `opens` and `closes` are minutes after local midnight."""

    id: str
    staff_id: str
    rule_type: str
    day_of_week: int | None
    specific_date: date | None
    opens: int
    closes: int
    is_available: bool
    metadata: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A booking that stands, and that nobody could make any more."""

    id: str
    booking_number: str
    staff_id: str
    service_id: str
    service_name: str
    start_at: datetime
    end_at: datetime
    status: str
    customer_name: str | None
    customer_email: str | None


def add_rule(conn: Connection, staff_id: str, **given: Any) -> OpeningRule:
    """A new rule. The caller has locked the member of staff. Raises InvalidData, which names the field."""
    rule_id = new_id("bkavl")
    conn.execute(queries.insert_rule, {**_checked(given), "id": rule_id, "staff_id": staff_id})
    return get_rule(conn, rule_id)


def get_rule(conn: Connection, rule_id: str) -> OpeningRule:
    """The rule. Raises RuleNotFound."""
    with conn.cursor(row_factory=class_row(OpeningRule)) as cursor:
        rule = cursor.execute(queries.find_rule, {"rule_id": rule_id}).fetchone()
    if rule is None:
        raise RuleNotFound
    return rule


def list_rules(conn: Connection, staff_ids: Sequence[str]) -> dict[str, list[OpeningRule]]:
    """The rules of each, by the day they are for."""
    found: dict[str, list[OpeningRule]] = {staff_id: [] for staff_id in staff_ids}
    with conn.cursor(row_factory=class_row(OpeningRule)) as cursor:
        for rule in cursor.execute(queries.list_rules, {"staff_ids": list(staff_ids)}):
            found[rule.staff_id].append(rule)
    return found


def update_rule(conn: Connection, rule_id: str, *, changes: Mapping[str, Any]) -> OpeningRule:
    """Set the fields in `changes`. The caller has locked the member of staff. Raises RuleNotFound, InvalidData."""
    before = get_rule(conn, rule_id)
    values = {name: getattr(before, name) for name in _FIELDS}
    # A rule that becomes one of another kind needs the other kind's day, and loses its own.
    if changes.get("rule_type", before.rule_type) != before.rule_type:
        values["day_of_week" if before.rule_type == "recurring" else "specific_date"] = None
    conn.execute(queries.update_rule, {**_checked({**values, **changes}), "id": rule_id})
    return get_rule(conn, rule_id)


def delete_rule(conn: Connection, rule_id: str) -> None:
    """Take a rule away. The caller has locked the member of staff. Raises RuleNotFound."""
    if not conn.execute(queries.delete_rule, {"rule_id": rule_id}).rowcount:
        raise RuleNotFound


def lock_staff(conn: Connection, staff_id: str) -> None:
    """Lock a member of staff against whoever books them, and make what those computed stale. Raises StaffNotFound.

    From here to the end of the transaction every booking made by the old rules is visible, and none is added.
    """
    if not conn.execute(queries.raise_revision, {"staff_id": staff_id}).rowcount:
        raise StaffNotFound


def list_booked(conn: Connection, staff_id: str) -> list[Conflict]:
    """What is booked or held of a member of staff and has not ended, by its start."""
    return [_conflict(row) for row in conn.execute(queries.list_booked, {"staff_id": staff_id})]


def find_conflicts(conn: Connection, staff_id: str) -> list[Conflict]:
    """Of what is booked, what does not fit what is true of the member of staff now; the first SHOWN of it."""
    booked = conn.execute(queries.list_booked, {"staff_id": staff_id}).fetchall()
    if not booked:
        return []
    hours = Hours(booked[0]["time_zone"], rules_of(list_rules(conn, [staff_id])[staff_id]))
    return [_conflict(row) for row in booked if not row["is_done"] or not _fits(hours, row)][:SHOWN]


def rules_of(kept: Iterable[OpeningRule]) -> list[Rule]:
    """The rules as they are computed with."""
    return [
        Rule(
            kind=rule.rule_type,  # type: ignore[arg-type]  # the enum in the database has these
            is_available=rule.is_available,
            day_of_week=rule.day_of_week,
            on_date=rule.specific_date,
            opens=rule.opens,
            closes=rule.closes,
        )
        for rule in kept
    ]


def _conflict(row: Mapping[str, Any]) -> Conflict:
    return Conflict(**{name: row[name] for name in Conflict.__dataclass_fields__})


def _fits(hours: Hours, booked: Mapping[str, Any]) -> bool:
    start = quarter_slot(booked["start_at"])
    shape = shape_of(booked["duration_minutes"], booked["buffer_before_minutes"], booked["buffer_minutes"])
    return start in find_starts(hours, local_date(hours.time_zone, start), shape, taken=_NOTHING).offered


_FIELDS = ("rule_type", "day_of_week", "specific_date", "opens", "closes", "is_available", "metadata")
_DEFAULTS: dict[str, Any] = {
    "rule_type": "recurring",
    "day_of_week": None,
    "specific_date": None,
    "opens": None,
    "closes": None,
    "is_available": True,
    "metadata": {},
}


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The rule as it is stored, when its fields go together."""
    values = {**_DEFAULTS, **given}
    is_weekly = values["rule_type"] == "recurring"
    values["is_available"] = values["is_available"] and values["rule_type"] != "blocked"
    needed, unwanted = ("day_of_week", "specific_date") if is_weekly else ("specific_date", "day_of_week")
    if values[needed] is None:
        raise _invalid(needed, f"A rule of the type {values['rule_type']} needs one.")
    if values[unwanted] is not None:
        raise _invalid(unwanted, f"A rule of the type {values['rule_type']} has none.")
    if values["opens"] is None and values["closes"] is None and not (values["is_available"] or is_weekly):
        values.update(opens=0, closes=DAY_MINUTES)  # The whole day.
    for name, field in (("opens", "start_time"), ("closes", "end_time")):
        if values[name] is None:
            raise _invalid(field, "Missing data for required field.")
    if values["closes"] == 0:
        values["closes"] = DAY_MINUTES  # Until midnight.
    if values["opens"] >= values["closes"]:
        raise _invalid("end_time", "Must be after start_time.")
    return {**values, "metadata": Jsonb(values["metadata"])}


def _invalid(field: str, message: str) -> InvalidData:
    return InvalidData(f"{field}: {message}", fields={field: [message]})
