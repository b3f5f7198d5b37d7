"""Every failure the bridge expects: what it is called, and which kind of answer it gets.

The docstring of a class is its message. `kind` is the contract's `type`; `code` is specific and never renamed.
"""

from __future__ import annotations

from typing import Any


class BridgeError(Exception):
    """Something went wrong in the bridge."""

    kind = "unexpected_state"
    code = "unexpected_state"

    def __init__(self, message: str | None = None, **details: Any) -> None:
        self.message = message or (type(self).__doc__ or "").strip().split("\n")[0]
        self.details = details
        super().__init__(self.message)


class InvalidData(BridgeError):
    """The request is not valid."""

    kind = code = "invalid_data"


class Unauthorized(BridgeError):
    """Credentials are missing or not valid."""

    kind = code = "unauthorized"


class Forbidden(BridgeError):
    """These credentials do not allow this."""

    kind = code = "forbidden"


class NotFound(BridgeError):
    """There is no such thing."""

    kind = code = "not_found"


class MethodNotAllowed(BridgeError):
    """This path does not take this method."""

    kind = code = "not_allowed"


class Conflict(BridgeError):
    """The request conflicts with the present state."""

    kind = code = "conflict"


class PayloadTooLarge(BridgeError):
    """The body is too large."""

    kind = code = "payload_too_large"


class TooManyRequests(BridgeError):
    """Too many requests; try again later."""

    kind = code = "too_many_requests"

    def __init__(self, message: str | None = None, *, retry_after: int = 1, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after


class Unavailable(BridgeError):
    """The bridge cannot do this right now; try again shortly."""

    kind = code = "unavailable"

    def __init__(self, message: str | None = None, *, retry_after: int = 2, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after


# -- settings and start-up ---------------------------------------------------------------------------------------------


class InvalidSetting(BridgeError):
    """A setting cannot be used."""

    code = "invalid_setting"


# -- requests ----------------------------------------------------------------------------------------------------------


class UnsupportedMediaType(InvalidData):
    """Send application/json."""

    code = "unsupported_media_type"


class MalformedJson(InvalidData):
    """The body is not valid JSON."""

    code = "malformed_json"


class IdempotencyKeyReused(Conflict):
    """This Idempotency-Key was used with another request."""

    code = "idempotency_key_reused"


# -- resources and capacity --------------------------------------------------------------------------------------------


class ResourceNotFound(NotFound):
    """There is no such resource."""

    code = "resource_not_found"


class HasBookings(Conflict):
    """The resource still has bookings; send force=true to cancel them."""

    code = "has_bookings"


class WrongGrain(InvalidData):
    """This resource is not sold by the day."""

    code = "wrong_grain"


class DatesNotOpen(InvalidData):
    """Some of these dates are not open yet; initialize their capacity first."""

    code = "not_open"


class BlackoutNotFound(NotFound):
    """There is no such blackout."""

    code = "blackout_not_found"


# -- holds -------------------------------------------------------------------------------------------------------------


class HoldNotFound(NotFound):
    """There is no such hold."""

    code = "hold_not_found"


class PastDates(InvalidData):
    """The dates lie in the past."""

    code = "past_dates"


class InsufficientCapacity(Conflict):
    """Not enough capacity is left on the requested dates."""

    code = "insufficient_capacity"


class BlackedOut(Conflict):
    """The resource is not available on the requested dates."""

    code = "blackout"


class IdempotencyTokenReused(Conflict):
    """This idempotency_token was used for another hold."""

    code = "idempotency_token_reused"


class HoldExpired(Conflict):
    """The hold has expired."""

    code = "hold_expired"


class HoldReleased(Conflict):
    """The hold was released."""

    code = "hold_released"


class HoldNotActive(Conflict):
    """The hold is no longer active."""

    code = "hold_not_active"


class ExtensionLimit(Conflict):
    """The hold cannot be extended any further."""

    code = "extension_limit"


class AlreadyConfirmed(Conflict):
    """The hold was confirmed for another order."""

    code = "already_confirmed"


class WrongCustomer(Forbidden):
    """The e-mail address is not the one this hold was made with."""

    code = "wrong_customer"


# -- reservations ------------------------------------------------------------------------------------------------------


class ReservationNotFound(NotFound):
    """There is no reservation of this number."""

    code = "reservation_not_found"


class ReservationClosed(Conflict):
    """This reservation is closed: it lapsed, was released, or was paid."""

    code = "reservation_closed"


class ReservationEmpty(Conflict):
    """There is nothing in this reservation to pay for."""

    code = "reservation_empty"


class ReservationChanged(Conflict):
    """The reservation was changed while its payment was prepared; ask again."""

    code = "reservation_changed"


class ItemNotFound(NotFound):
    """The reservation has no such item."""

    code = "item_not_found"


class TooManyItems(InvalidData):
    """A reservation does not have as many items."""

    code = "too_many_items"


class NotPriced(Conflict):
    """An item cannot be paid for here: its price, its product or its currency is missing."""

    code = "not_priced"


class CheckoutRefused(Conflict):
    """The platform does not take this payment."""

    code = "checkout_refused"


class CheckoutNotConfigured(Conflict):
    """Nobody can be paid here: neither STRIPE_SECRET_KEY nor MEDUSA_URL with MEDUSA_PUBLISHABLE_KEY is set."""

    code = "checkout_not_configured"


# -- allocations and shortfalls ----------------------------------------------------------------------------------------


class AllocationNotFound(NotFound):
    """There is no such allocation."""

    code = "allocation_not_found"


class AllocationCancelled(Conflict):
    """The allocation is cancelled already."""

    code = "allocation_cancelled"


class QuantityTooLarge(InvalidData):
    """There is less than this left to cancel."""

    code = "quantity_too_large"


class ShortfallNotFound(NotFound):
    """There is no such shortfall."""

    code = "shortfall_not_found"


class ShortfallClosed(Conflict):
    """The shortfall is closed already."""

    code = "shortfall_closed"


class StillShort(Conflict):
    """There is still not enough capacity for this order."""

    code = "still_short"


# -- tours -------------------------------------------------------------------------------------------------------------


class SlotNotFound(NotFound):
    """There is no such departure."""

    code = "slot_not_found"


class ScheduleNotFound(NotFound):
    """There is no such schedule."""

    code = "schedule_not_found"


class ScheduleInactive(Conflict):
    """The schedule is not active, so it has no departures."""

    code = "schedule_inactive"


class BookingNotFound(NotFound):
    """There is no such booking."""

    code = "booking_not_found"


class SlotCancelled(Conflict):
    """This departure does not run, or is not sold any more."""

    code = "slot_cancelled"


class InvalidTransition(Conflict):
    """The booking's status does not allow this."""

    code = "invalid_transition"


class SoldByTheDay(Conflict):
    """This resource has days open for sale, so it cannot have departures."""

    code = "sold_by_the_day"


class TooLate(InvalidData):
    """This departure leaves too soon to be booked or changed."""

    code = "too_late"


class TooFarAhead(InvalidData):
    """This departure lies too far ahead to be booked yet."""

    code = "too_far_ahead"


class PartySize(InvalidData):
    """A party of this size cannot be booked."""

    code = "party_size"


class PriceMissing(InvalidData):
    """The schedule needs a price: give price_override, or the tour a price_per_person."""

    code = "price_missing"


# -- waitlist ----------------------------------------------------------------------------------------------------------


class EntryNotFound(NotFound):
    """There is no such waitlist entry."""

    code = "waitlist_entry_not_found"


class NothingToWaitFor(Conflict):
    """The tour does not depart on this date, or no more bookings are taken for it."""

    code = "nothing_to_wait_for"


class SeatsAvailable(Conflict):
    """There is room: book instead of waiting."""

    code = "seats_available"


class AlreadyWaiting(Conflict):
    """This e-mail address is on the waitlist of this tour and date already."""

    code = "already_waiting"


class EntryClosed(Conflict):
    """This waitlist entry is closed."""

    code = "waitlist_entry_closed"


class NothingOffered(Conflict):
    """No seats have been offered to this waitlist entry yet."""

    code = "nothing_offered"


class NotYourEntry(Forbidden):
    """This waitlist entry is somebody else's; a guest's link is the key to their own."""

    code = "not_your_entry"


class OfferExpired(Conflict):
    """The offer has expired, and its seats have gone to the next in the queue."""

    code = "offer_expired"


# -- appointments ------------------------------------------------------------------------------------------------------


class ServiceNotFound(NotFound):
    """There is no such service."""

    code = "service_not_found"


class StaffNotFound(NotFound):
    """There is no such member of staff."""

    code = "staff_not_found"


class RuleNotFound(NotFound):
    """There is no such availability rule."""

    code = "rule_not_found"


class ServiceNotOffered(InvalidData):
    """This member of staff does not do this service."""

    code = "service_not_offered"


class OffGrid(InvalidData):
    """Appointments start on the quarter hour: at :00, :15, :30 or :45."""

    code = "off_grid"


class InThePast(InvalidData):
    """This time is past."""

    code = "in_the_past"


class OutsideBusinessHours(Conflict):
    """Nobody works at this time."""

    code = "outside_business_hours"


class SlotUnavailable(Conflict):
    """This time slot is not available any more."""

    code = "slot_unavailable"


class PaymentModeNotAllowed(InvalidData):
    """This service cannot be paid in this way."""

    code = "payment_mode_not_allowed"


class NotYourBooking(Forbidden):
    """This booking is somebody else's."""

    code = "not_your_booking"


# -- events ------------------------------------------------------------------------------------------------------------


class EventNotFound(NotFound):
    """There is no such event."""

    code = "event_not_found"


class EventNotRetryable(Conflict):
    """Only an event that is failed, ignored or discarded can be retried."""

    code = "event_not_retryable"


class EventNotFailed(Conflict):
    """Only a failed event can be changed or discarded."""

    code = "event_not_failed"


class QueueNotFound(NotFound):
    """There is no such queue."""

    code = "queue_not_found"


class WebhookNotFound(NotFound):
    """There is no such webhook."""

    code = "webhook_not_found"


class DeliveryNotFound(NotFound):
    """There is no such delivery of this webhook."""

    code = "delivery_not_found"


class WebhookDisabled(BridgeError):
    """The webhook is disabled: nothing is sent to it."""

    code = "webhook_disabled"


class UnreadableEvent(BridgeError):
    """The event does not have the shape its type should have."""

    code = "unreadable_event"


class UnreadableLine(BridgeError):
    """A line of the order names a booking that cannot be found."""

    code = "unreadable_line"


class WorkerLost(BridgeError):
    """The worker died each time it tried this event."""

    code = "worker_lost"


# -- the platform ------------------------------------------------------------------------------------------------------


class PlatformNotConfigured(BridgeError):
    """MEDUSA_URL is not set, so the platform cannot be asked."""

    code = "platform_not_configured"


class PlatformUnavailable(Unavailable):
    """The platform cannot be reached right now."""

    code = "platform_unavailable"


class PlatformRefused(BridgeError):
    """The platform refused the request."""

    code = "platform_refused"


# -- links -------------------------------------------------------------------------------------------------------------


class LinkInvalid(Forbidden):
    """This link is not valid, or not any more."""

    code = "link_invalid"


# -- keys --------------------------------------------------------------------------------------------------------------


class KeyNotFound(NotFound):
    """There is no such API key."""

    code = "key_not_found"
