"""Allocations as staff cancel them."""

from __future__ import annotations

from marshmallow import Schema, fields

from schemas.fields import BodyCount, Text
from schemas.holds import AllocationSchema


class CancelAllocationSchema(Schema):
    """Body of POST …/allocations/{id}/cancel. Without `quantity` all of it is cancelled."""

    reason = Text(longest=1000, load_default=None, allow_none=True)
    quantity = BodyCount(least=1, load_default=None, allow_none=True)


class CancelledAllocationSchema(Schema):
    """The allocation as it is now, and the places that became free, summed over its dates."""

    allocation = fields.Nested(AllocationSchema)
    capacity_returned = fields.Integer()
