"""What every list takes: how many, from where."""

from __future__ import annotations

from marshmallow import Schema

from schemas.fields import Count


class PageSchema(Schema):
    """`limit` and `offset` of a list; a list's query schema derives from it."""

    limit = Count(least=1, most=100, load_default=20)
    offset = Count(load_default=0)


class PagedAnswerSchema(Schema):
    """What stands beside the rows of a list."""

    count = Count(metadata={"description": "How many there are in all."})
    limit = Count()
    offset = Count()
