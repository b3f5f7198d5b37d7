"""Which part of a long list is shown, and how to get to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import url_for

PER_PAGE = 50  # More than one looks through at a time, and still a light page on a phone.


@dataclass(frozen=True, slots=True)
class Pager:
    """`first` to `last` of `count` rows, and the addresses of the pages beside."""

    first: int
    last: int
    count: str
    newer: str | None
    older: str | None


def pager(
    endpoint: str, given: Mapping[str, str], query: Mapping[str, Any], count: int, *, counted_to: int | None = None
) -> Pager:
    """Where in the list `query` is; `given` is kept in the addresses. A count of `counted_to` may be more."""
    offset, limit = query["offset"], query["limit"]
    kept = {name: value for name, value in given.items() if name not in {"offset", "refresh"}}
    last = min(offset + limit, count)
    is_more = count == counted_to
    return Pager(
        first=min(offset + 1, count),
        last=last,
        count=f"{count:,}+" if is_more else f"{count:,}",
        newer=url_for(endpoint, **kept, offset=max(offset - limit, 0)) if offset else None,  # type: ignore[arg-type]  # the names are ours, none of them `_external` and the like
        older=url_for(endpoint, **kept, offset=offset + limit) if last < count or is_more else None,  # type: ignore[arg-type]  # as above
    )
