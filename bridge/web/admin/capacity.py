"""/admin/resource-booking/capacity: how much there is, and how much of it is used."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response

from bridge import db
from bridge.core import capacity
from bridge.core.capacity import Report
from bridge.errors import DatesNotOpen, ResourceNotFound, WrongGrain
from bridge.web import auth
from bridge.web.endpoints import endpoint
from schemas.capacity import (
    AdjustCapacitySchema,
    AdjustedCapacitySchema,
    CapacityReportQuerySchema,
    CapacityReportSchema,
    InitializeCapacitySchema,
    InitializedCapacitySchema,
    UsageSchema,
)

blueprint = Blueprint("admin_capacity", __name__, url_prefix="/admin/resource-booking/capacity")
blueprint.before_request(auth.demand("admin"))

_initialized = InitializedCapacitySchema()
_adjusted = AdjustedCapacitySchema()
_report = CapacityReportSchema()
_usage = UsageSchema(many=True)
# What makes a spreadsheet take a text for a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


@blueprint.post("/initialize")
@endpoint(
    body=InitializeCapacitySchema,
    answers={201: InitializedCapacitySchema},
    errors=(ResourceNotFound, WrongGrain),
    creates=True,
)
def initialize_capacity(body: dict[str, Any]) -> Any:
    """Open a range of days."""
    with db.transaction() as conn:
        done = capacity.initialize_capacity(conn, **body)
    answer = {**asdict(done), "date_range": body, "daily_capacity": body["daily_capacity"]}
    return _initialized.dump(answer), 201


@blueprint.post("/adjust")
@endpoint(
    body=AdjustCapacitySchema,
    answers={200: AdjustedCapacitySchema},
    errors=(ResourceNotFound, WrongGrain, DatesNotOpen),
    creates=True,
)
def adjust_capacity(body: dict[str, Any]) -> Any:
    """Give days more or less capacity."""
    with db.transaction() as conn:
        days = capacity.adjust_capacity(conn, **body, actor=auth.actor())
    return _adjusted.dump(
        {"adjusted_dates": [day["date"] for day in days], "adjustment": body["adjustment"], "new_capacities": days}
    )


@blueprint.get("/report")
@endpoint(
    query=CapacityReportQuerySchema,
    answers={200: CapacityReportSchema},
    errors=(ResourceNotFound,),
    documents={"description": "With `format=csv` the breakdown as text/csv."},
)
def report_capacity(query: dict[str, Any]) -> Any:
    """How a resource is used, by day, week or month."""
    shape = query.pop("format")
    with db.transaction() as conn:
        report = capacity.report_capacity(conn, **query)
    if shape == "csv":
        return _as_csv(report, f"capacity-{query['resource_id']}-{query['start_date']}-{query['end_date']}.csv")
    return _report.dump(
        {
            "resource": report.resource,
            "date_range": query,
            "group_by": query["group_by"],
            "summary": report.summary,
            "breakdown": report.breakdown,
        }
    )


def _as_csv(report: Report, filename: str) -> Response:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["resource_id", "resource_name", *UsageSchema().fields])
    for row in _usage.dump(report.breakdown):
        writer.writerow([_inert(value) for value in (report.resource.id, report.resource.name, *row.values())])
    response = Response(text.getvalue(), content_type="text/csv; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=filename)
    return response


def _inert(value: Any) -> Any:
    """A cell that no spreadsheet computes."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value
