"""What an event of Medusa v2, or an order or a cart of its API, says in the bridge's own words.

The one place that knows both sides. Facts of Medusa 2.21 that shape it: events carry bare ids, and a forwarder may or
may not have fetched the rest; a line removed by an edit is simply absent; a return leaves `quantity` alone.
"""

from __future__ import annotations

from typing import Any

from bridge.errors import UnreadableEvent
from bridge.platforms.claims import Claims
from bridge.platforms.medusa_details import customer_name, is_paid_back
from bridge.platforms.reading import dig, is_id, load, usable_email
from bridge.rules.orders import CartFacts, LineFacts, LookUp, Nothing, OrderFacts, Reading
from schemas.medusa import (
    CartSchema,
    DataSchema,
    EnvelopeSchema,
    OrderSchema,
    is_storable,
)

SOURCE = "medusa"
MAX_TITLE_LENGTH = 200

# "Look again at this order." Names are matched whole: Medusa's modules emit look-alikes such as order.order.updated.
ORDER_TYPES = frozenset(
    {
        "order.placed",
        "order.updated",
        "order.canceled",
        "order.completed",
        "order.archived",
        "order.fulfillment_created",
        "order.fulfillment_canceled",
        "order.return_requested",
        "order.return_received",
        "order.claim_created",
        "order.exchange_created",
        "order.transfer_requested",
        "order-edit.requested",
        "order-edit.confirmed",
        "order-edit.canceled",
        "order.reconcile",  # Ours, for orders whose event never came.
    }
)
CART_TYPES = frozenset(
    {
        "cart.created",
        "cart.updated",
        "cart.region_updated",
        "cart.customer_transferred",
        "cart.customer_updated",
    }
)
WITHOUT_EFFECT = {
    "payment.captured": "capacity follows the order, not its payment",
    "payment.refunded": "capacity follows the order, not its payment",
    "shipment.created": "capacity follows the order, not its shipments",
    "delivery.created": "capacity follows the order, not its deliveries",
    "reservation-item.created": "Medusa's own stock has no part in capacity",
    "reservation-item.updated": "Medusa's own stock has no part in capacity",
    "reservation-item.deleted": "Medusa's own stock has no part in capacity",
}


def is_known(event_type: str) -> bool:
    """Whether the bridge knows what an event of this type means, be it nothing."""
    return event_type in ORDER_TYPES or event_type in CART_TYPES or event_type in WITHOUT_EFFECT


def read_event(document: object) -> Reading:
    """What a webhook's JSON body asks for. Raises UnreadableEvent, which names the field."""
    envelope = load(EnvelopeSchema, document, "")
    event_type = envelope["type"]
    if event_type in ORDER_TYPES:
        return _read_order_event(event_type, envelope.get("data"))
    if event_type in CART_TYPES:
        return _read_cart_event(envelope.get("data"))
    # Escaped, because the sender may call it anything, also what a database cannot store.
    return Nothing(reason=WITHOUT_EFFECT.get(event_type) or f"the type {event_type!a} is unknown")


def read_order(order: object) -> OrderFacts:
    """An order as the admin API returns it. Raises UnreadableEvent, which names the field."""
    return _order_facts(_load_order(order, "order"), "order")


def read_cart(cart: object) -> CartFacts:
    """A cart as the store API returns it. Raises UnreadableEvent, which names the field."""
    return _cart_facts(load(CartSchema, cart, "cart"), "cart")


def order_id_of(document: object) -> str | None:
    """The order an event is about, to file it under; None where it names none that can be stored. Never raises."""
    event_type = dig(document, "type")
    candidates = [
        dig(document, "data", "order", "id"),
        dig(document, "data", "order_id"),
        dig(document, "data", "event_data", "order_id"),
        dig(document, "data", "payment", "payment_collection", "order", "id"),
    ]
    if isinstance(event_type, str) and event_type in ORDER_TYPES:
        candidates += [dig(document, "data", "id"), dig(document, "data", "event_data", "id")]
    return next((value for value in candidates if is_id(value)), None)


def _read_order_event(event_type: str, value: object) -> Reading:
    data = load(DataSchema, value, "data")
    shown = _shown("order", data, value)
    is_cancelled = event_type == "order.canceled"
    if shown is None:
        order_id = _reference(data, "order_id", "id")
        return LookUp(source=SOURCE, kind="order", id=order_id, is_cancelled=is_cancelled)
    where, order = shown
    loaded = _load_order(order, where)
    if loaded.get("items") is None:
        # An order shown without its lines says nothing about them: taken at its word, it would release everything.
        is_cancelled = is_cancelled or _is_cancelled(loaded)
        return LookUp(source=SOURCE, kind="order", id=loaded["id"], is_cancelled=is_cancelled)
    return _order_facts(loaded, where, is_cancelled=is_cancelled, is_placed=event_type == "order.placed")


def _read_cart_event(value: object) -> Reading:
    data = load(DataSchema, value, "data")
    shown = _shown("cart", data, value)
    if shown is None:
        return LookUp(source=SOURCE, kind="cart", id=_reference(data, "id"))
    where, cart = shown
    loaded = load(CartSchema, cart, where)
    if loaded.get("items") is None:
        return LookUp(source=SOURCE, kind="cart", id=loaded["id"])
    return _cart_facts(loaded, where)


def _shown(noun: str, data: dict[str, Any], value: object) -> tuple[str, object] | None:
    """Where the order or cart itself stands, and it; None in a thin event."""
    if data.get(noun) is not None:
        return f"data.{noun}", data[noun]
    # Some forwarders put the object straight into data; bare ids stand there too, so its lines tell them apart.
    return ("data", value) if isinstance(value, dict) and "items" in value else None


def _reference(data: dict[str, Any], *names: str) -> str:
    # `order_id` first: beside it, `id` is that of a return or a claim.
    for name in names:
        for holder in (data, data.get("event_data") or {}):
            if holder.get(name):
                return str(holder[name])
    raise UnreadableEvent(f"data.{names[-1]}: Missing, and so is the object it would name.")


def _load_order(order: object, where: str) -> dict[str, Any]:
    loaded = load(OrderSchema, order, where)
    seen: set[str] = set()
    for number, line in enumerate(loaded.get("items") or ()):
        if line["id"] in seen:
            raise UnreadableEvent(f"{where}.items.{number}.id: Another line has the same id.")
        seen.add(line["id"])
    return loaded


def _order_facts(
    order: dict[str, Any], where: str, *, is_cancelled: bool = False, is_placed: bool = False
) -> OrderFacts:
    claims = Claims(order.get("metadata"))
    return OrderFacts(
        source=SOURCE,
        id=order["id"],
        is_placed=is_placed or not (order.get("status") == "draft" or order.get("is_draft_order")),
        is_cancelled=is_cancelled or _is_cancelled(order),
        version=order.get("version"),
        updated_at=order.get("updated_at"),
        email=usable_email(order.get("email")),
        customer_name=customer_name(order),
        is_paid_back=is_paid_back(order),
        lines=tuple(_line_facts(line) for line in _items(order, where)),
        hold_ids=claims.hold_ids(),
        booking_number=claims.text("booking_number"),
    )


def _line_facts(line: dict[str, Any]) -> LineFacts:
    claims = Claims(_line_metadata(line))
    return LineFacts(
        id=line["id"],
        quantity=_wanted(line),
        ordered=line["quantity"],
        title=_title(line.get("title") or line.get("product_title") or ""),
        hold_ids=claims.hold_ids(),
        resource_id=claims.text("resource_id"),
        dates=claims.dates(),
        slot_id=claims.text("slot_id"),
        service_id=claims.text("service_id"),
        staff_id=claims.text("staff_id"),
        start_at=claims.instant("start_at"),
        party=claims.party(),
        unit_price=line.get("unit_price"),
        # Last: reading the fields above is what gathers it.
        complaint=claims.complaint(),
    )


def _cart_facts(cart: dict[str, Any], where: str) -> CartFacts:
    live = [line for line in _items(cart, where) if not line.get("deleted_at")]
    named = [Claims(holder.get("metadata")).hold_ids() for holder in (*live, cart)]
    return CartFacts(
        source=SOURCE,
        id=cart["id"],
        is_completed=cart.get("completed_at") is not None,
        updated_at=cart.get("updated_at"),
        hold_ids=tuple(dict.fromkeys(hold_id for hold_ids in named for hold_id in hold_ids)),
    )


def _items(thing: dict[str, Any], where: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] | None = thing.get("items")
    if items is None:
        raise UnreadableEvent(f"{where}.items: Missing data for required field.")
    return items


def _wanted(line: dict[str, Any]) -> int:
    if line.get("deleted_at"):
        return 0
    detail = line.get("detail") or {}
    gone = sum(max(0, detail.get(name) or 0) for name in ("return_received_quantity", "written_off_quantity"))
    return max(0, int(line["quantity"]) - gone)


def _line_metadata(line: dict[str, Any]) -> object:
    # Medusa shows the same object in three places; which of them a forwarder fetched varies.
    return line.get("metadata") or line.get("line_item_metadata") or (line.get("detail") or {}).get("metadata")


def _is_cancelled(order: dict[str, Any]) -> bool:
    return order.get("status") == "canceled" or order.get("canceled_at") is not None


def _title(value: str) -> str:
    return "".join(letter for letter in value[:MAX_TITLE_LENGTH] if is_storable(letter))
