"""/admin/bookings/staff and …/availability: who works, and when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from flask import Blueprint

from bridge import db, errors
from bridge.core import appointments, openings, staff
from bridge.core.openings import Conflict, OpeningRule
from bridge.core.staff import Member
from bridge.db import Connection
from bridge.web import auth
from bridge.web.endpoints import endpoint, settings
from schemas.blackouts import DryRunQuerySchema
from schemas.staff import (
    CreateRuleSchema,
    CreateStaffSchema,
    DeletedRuleSchema,
    DeletedStaffSchema,
    DeleteStaffQuerySchema,
    RuleAnswerSchema,
    RulesSchema,
    StaffAnswerSchema,
    StaffListSchema,
    StaffQuerySchema,
    UpdateRuleSchema,
    UpdateStaffSchema,
)

blueprint = Blueprint("admin_staff", __name__, url_prefix="/admin/bookings")
blueprint.before_request(auth.demand("admin"))

_one = StaffAnswerSchema()
_page = StaffListSchema()
_deleted = DeletedStaffSchema()
_rule = RuleAnswerSchema()
_rules = RulesSchema()
_deleted_rule = DeletedRuleSchema()


@blueprint.post("/staff")
@endpoint(body=CreateStaffSchema, answers={201: StaffAnswerSchema}, creates=True)
def create_staff(body: dict[str, Any]) -> Any:
    """Add somebody who does appointments; open by their rules, and without any never."""
    with db.transaction() as conn:
        member = staff.create_member(conn, **{"time_zone": settings().booking_time_zone, **body})
        return _one.dump({"staff": _with_rules(conn, [member])[0], "conflicts": []}), 201


@blueprint.get("/staff")
@endpoint(query=StaffQuerySchema, answers={200: StaffListSchema})
def list_staff(query: dict[str, Any]) -> Any:
    """List staff by name, each with their rules."""
    with db.transaction() as conn:
        page, count = staff.list_members(conn, **query)
        shown = _with_rules(conn, page)
    return _page.dump({"staff": shown, "count": count, "limit": query["limit"], "offset": query["offset"]})


@blueprint.get("/staff/<staff_id>")
@endpoint(answers={200: StaffAnswerSchema}, errors=(errors.StaffNotFound,))
def get_staff(staff_id: str) -> Any:
    """One member of staff, with the bookings that do not fit their hours any more."""
    with db.transaction() as conn:
        member = staff.get_member(conn, staff_id)
        conflicts = openings.find_conflicts(conn, staff_id)
        return _one.dump({"staff": _with_rules(conn, [member])[0], "conflicts": conflicts})


@blueprint.post("/staff/<staff_id>")
@endpoint(
    body=UpdateStaffSchema, query=DryRunQuerySchema, answers={200: StaffAnswerSchema}, errors=(errors.StaffNotFound,)
)
def update_staff(staff_id: str, body: dict[str, Any], query: dict[str, Any]) -> Any:
    """Change some fields of a member of staff; what is booked stands, and what no longer fits is listed."""

    def change(conn: Connection) -> Any:
        member, conflicts = staff.update_member(conn, staff_id, changes=body)
        return _one.dump({"staff": _with_rules(conn, [member])[0], "conflicts": conflicts})

    return _perhaps(change, dry_run=body.pop("dry_run", False) or query["dry_run"])


@blueprint.delete("/staff/<staff_id>")
@endpoint(
    query=DeleteStaffQuerySchema,
    answers={200: DeletedStaffSchema},
    errors=(errors.StaffNotFound, errors.HasBookings),
)
def delete_staff(staff_id: str, query: dict[str, Any]) -> Any:
    """Take somebody away for good. What is booked with them is cancelled and paid back only with `force`."""

    def delete(conn: Connection) -> Any:
        openings.lock_staff(conn, staff_id)
        booked = openings.list_booked(conn, staff_id)
        if query["force"] or query["dry_run"]:
            for booking in booked:
                appointments.cancel_appointment(
                    conn, booking.id, actor=auth.actor(), reason="the member of staff has left"
                )
        staff.delete_member(conn, staff_id)
        return _deleted.dump({"id": staff_id, "deleted": not query["dry_run"], "conflicts": booked})

    return _perhaps(delete, dry_run=query["dry_run"])


@blueprint.get("/staff/<staff_id>/availability")
@endpoint(answers={200: RulesSchema}, errors=(errors.StaffNotFound,))
def list_rules(staff_id: str) -> Any:
    """The rules of when somebody works."""
    with db.transaction() as conn:
        staff.get_member(conn, staff_id)
        rules = openings.list_rules(conn, [staff_id])[staff_id]
    return _rules.dump({"availability_rules": rules, "count": len(rules)})


@blueprint.post("/staff/<staff_id>/availability")
@endpoint(
    body=CreateRuleSchema,
    query=DryRunQuerySchema,
    answers={201: RuleAnswerSchema, 200: RuleAnswerSchema},
    errors=(errors.StaffNotFound,),
    creates=True,
)
def add_rule(staff_id: str, body: dict[str, Any], query: dict[str, Any]) -> Any:
    """Add a rule; 200 says what it would do, after `dry_run`."""
    dry_run = body.pop("dry_run", False) or query["dry_run"]
    answer = _perhaps(_on_rules(staff_id, lambda conn: openings.add_rule(conn, staff_id, **body)), dry_run=dry_run)
    return answer, 200 if dry_run else 201


@blueprint.post("/availability/<rule_id>")
@blueprint.post("/staff/<staff_id>/availability/<rule_id>", endpoint="update_rule_of_staff")
@endpoint(
    body=UpdateRuleSchema,
    query=DryRunQuerySchema,
    answers={200: RuleAnswerSchema},
    errors=(errors.RuleNotFound, errors.StaffNotFound),
)
def update_rule(rule_id: str, body: dict[str, Any], query: dict[str, Any], staff_id: str | None = None) -> Any:
    """Change some fields of a rule; what is booked stands, and what no longer fits is listed."""
    dry_run = body.pop("dry_run", False) or query["dry_run"]
    of_staff = _staff_of(rule_id, staff_id)
    return _perhaps(
        _on_rules(of_staff, lambda conn: openings.update_rule(conn, rule_id, changes=body)), dry_run=dry_run
    )


@blueprint.delete("/availability/<rule_id>")
@blueprint.delete("/staff/<staff_id>/availability/<rule_id>", endpoint="delete_rule_of_staff")
@endpoint(
    query=DryRunQuerySchema,
    answers={200: DeletedRuleSchema},
    errors=(errors.RuleNotFound, errors.StaffNotFound),
)
def delete_rule(rule_id: str, query: dict[str, Any], staff_id: str | None = None) -> Any:
    """Take a rule away; what is booked stands, and what no longer fits is listed."""
    of_staff = _staff_of(rule_id, staff_id)

    def delete(conn: Connection) -> Any:
        openings.lock_staff(conn, of_staff)
        openings.delete_rule(conn, rule_id)
        conflicts = openings.find_conflicts(conn, of_staff)
        return _deleted_rule.dump({"id": rule_id, "deleted": not query["dry_run"], "conflicts": conflicts})

    return _perhaps(delete, dry_run=query["dry_run"])


def _perhaps(act: Callable[[Connection], Any], *, dry_run: bool) -> Any:
    """What `act` answers; with `dry_run` everything it did is undone."""
    with db.transaction() as conn, conn.transaction() as attempt:
        answer = act(conn)
        if dry_run:
            raise psycopg.Rollback(attempt)
    return answer


def _on_rules(staff_id: str, change: Callable[[Connection], OpeningRule]) -> Callable[[Connection], Any]:
    """A change of one rule: under the lock of whom it is of, and with the bookings that it leaves outside."""

    def act(conn: Connection) -> Any:
        openings.lock_staff(conn, staff_id)
        rule = change(conn)
        conflicts: list[Conflict] = openings.find_conflicts(conn, staff_id)
        return _rule.dump({"availability_rule": rule, "conflicts": conflicts})

    return act


def _staff_of(rule_id: str, named: str | None) -> str:
    with db.transaction() as conn:
        staff_id = openings.get_rule(conn, rule_id).staff_id
    if named not in {None, staff_id}:
        raise errors.RuleNotFound
    return staff_id


def _with_rules(conn: Connection, members: list[Member]) -> list[dict[str, Any]]:
    rules = openings.list_rules(conn, [member.id for member in members])
    return [
        {
            **{name: getattr(member, name) for name in Member.__dataclass_fields__},
            "availability_rules": rules[member.id],
        }
        for member in members
    ]
