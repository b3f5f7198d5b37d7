"""/api/calendar/admin/schedules: when tours depart, and the departures made from that."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from bridge import db, errors
from bridge.core import departures, schedules
from bridge.web import auth
from bridge.web.endpoints import endpoint, in_our_currency
from schemas.blackouts import DryRunQuerySchema
from schemas.schedules import (
    ChangedScheduleSchema,
    CreateScheduleSchema,
    DeletedScheduleSchema,
    GeneratedSchema,
    GenerateQuerySchema,
    ScheduleEffectSchema,
    ScheduleSchema,
    SchedulesQuerySchema,
    SchedulesSchema,
    UpdateScheduleSchema,
)

blueprint = Blueprint("calendar_schedules", __name__, url_prefix="/api/calendar/admin/schedules")
blueprint.before_request(auth.demand("admin"))

_one = ScheduleSchema()
_page = SchedulesSchema()
_effect = ScheduleEffectSchema()
_generated = GeneratedSchema()


@blueprint.post("")
@endpoint(
    body=CreateScheduleSchema,
    answers={201: ScheduleSchema},
    errors=(errors.ResourceNotFound, errors.SoldByTheDay, errors.PriceMissing),
    creates=True,
)
def create_schedule(body: dict[str, Any]) -> Any:
    """Say when a tour departs. Departures are made by generate-slots, or by the nightly filling of the horizon."""
    with db.transaction() as conn:
        schedule = schedules.create_schedule(conn, **in_our_currency(body, "price_override"))
    return _one.dump(schedule), 201


@blueprint.get("")
@endpoint(query=SchedulesQuerySchema, answers={200: SchedulesSchema})
def list_schedules(query: dict[str, Any]) -> Any:
    """List schedules, newest first."""
    with db.transaction() as conn:
        page, count = schedules.list_schedules(conn, **query)
    return _page.dump({"schedules": page, "count": count, "limit": query["limit"], "offset": query["offset"]})


@blueprint.get("/<schedule_id>")
@endpoint(answers={200: ScheduleSchema}, errors=(errors.ScheduleNotFound,))
def get_schedule(schedule_id: str) -> Any:
    """A schedule."""
    with db.transaction() as conn:
        schedule = schedules.get_schedule(conn, schedule_id)
    return _one.dump(schedule)


@blueprint.put("/<schedule_id>")
@endpoint(
    body=UpdateScheduleSchema,
    query=DryRunQuerySchema,
    answers={200: ChangedScheduleSchema},
    errors=(errors.ScheduleNotFound, errors.PriceMissing),
)
def update_schedule(schedule_id: str, body: dict[str, Any], query: dict[str, Any]) -> Any:
    """Change a schedule, and the departures it has still to run; what is booked stays. `dry_run` only says what."""
    dry_run = body["dry_run"] or query["dry_run"]
    changes = in_our_currency(body["changes"], "price_override")
    with db.transaction() as conn, conn.transaction(force_rollback=dry_run):
        schedule = schedules.change_schedule(conn, schedule_id, changes=changes, days=body["days"])
        effect = departures.adapt(conn, schedule)
    return {**_one.dump(schedule), "effect": _effect.dump(effect), "dry_run": dry_run}


@blueprint.delete("/<schedule_id>")
@endpoint(query=DryRunQuerySchema, answers={200: DeletedScheduleSchema}, errors=(errors.ScheduleNotFound,))
def delete_schedule(schedule_id: str, query: dict[str, Any]) -> Any:
    """Forget a schedule: its departures are sold no more, and run for whoever has booked. `dry_run` only says what."""
    dry_run = query["dry_run"]
    with db.transaction() as conn, conn.transaction(force_rollback=dry_run):
        effect = departures.adapt(conn, schedules.delete_schedule(conn, schedule_id))
    return {
        "id": schedule_id,
        "object": "schedule",
        "deleted": not dry_run,
        "effect": _effect.dump(effect),
        "dry_run": dry_run,
    }


@blueprint.post("/<schedule_id>/generate-slots")
@endpoint(
    query=GenerateQuerySchema,
    answers={200: GeneratedSchema},
    errors=(errors.ScheduleNotFound, errors.ScheduleInactive, errors.PriceMissing),
    creates=True,
)
def generate_slots(schedule_id: str, query: dict[str, Any]) -> Any:
    """Make the departures of a range that are not there yet. Safe to repeat."""
    with db.transaction() as conn:
        generated = departures.generate(conn, schedule_id, **query)
    counts = {name: getattr(generated, name) for name in ("created", "skipped", "blacked_out", "slots")}
    return _generated.dump({"schedule_id": schedule_id, **query, **counts})
