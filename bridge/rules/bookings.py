"""What may become of a booking."""

from __future__ import annotations

# By status, what people may make of it. The database keeps the same table (booking_transition), with one more pair:
# an order that is paid late makes a booking confirmed that had lapsed.
TRANSITIONS: dict[str, tuple[str, ...]] = {
    "pending": ("confirmed", "cancelled"),
    "confirmed": ("completed", "no_show", "cancelled"),
    "cancelled": ("refunded",),
    "completed": (),
    "no_show": (),
    "refunded": (),
}
STATUSES = tuple(TRANSITIONS)


def may_become(status: str, wanted: str) -> bool:
    """Whether a booking of this status may be given the wanted one."""
    return wanted in TRANSITIONS[status]
