"""Stripe's API, as far as the bridge needs it, through Stripe's own library: sessions made and ended, money back.

Every call ends in time: with an answer, with PlatformRefused (asking again would not help), or with
PlatformUnavailable (it may help later).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeVar

import stripe

from bridge.config import Config
from bridge.errors import PlatformNotConfigured, PlatformRefused, PlatformUnavailable

CONNECT_SECONDS = 3.0
READ_SECONDS = 8.0
# Stripe takes sessions of half an hour to a day; a minute more, for clocks that differ.
SHORTEST_SESSION = timedelta(minutes=31)
LONGEST_SESSION = timedelta(hours=23, minutes=55)

# Currencies whose amounts Stripe takes in other units than hundredths (docs.stripe.com/currencies).
_WHOLE = frozenset(
    ("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf")
)
_THOUSANDTHS = frozenset(("bhd", "jod", "kwd", "omr", "tnd"))

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What the customer sees that they pay for."""

    title: str
    description: str
    quantity: int
    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class Session:
    """A Checkout Session, and where the customer pays."""

    id: str
    url: str


class Stripe:
    """One Stripe account. Raises PlatformNotConfigured without STRIPE_SECRET_KEY.

    `retries` is how often a call that failed in passing is made again; the library sends it under the same key.
    """

    def __init__(self, config: Config, *, retries: int = 2) -> None:
        if not config.stripe_secret_key:
            raise PlatformNotConfigured("STRIPE_SECRET_KEY is not set, so Stripe cannot be asked.")
        self._client = stripe.StripeClient(
            config.stripe_secret_key,
            http_client=stripe.RequestsClient(timeout=(CONNECT_SECONDS, READ_SECONDS)),
            max_network_retries=retries,
        )

    def create_session(
        self,
        *,
        lines: Sequence[Line],
        currency_code: str,
        metadata: dict[str, str],
        reference: str,
        email: str | None,
        expires_at: datetime,
        success_url: str,
        cancel_url: str | None,
        idempotency_key: str,
    ) -> Session:
        """Make a session, once for each `idempotency_key`."""
        now = datetime.now(UTC)
        ends_at = min(max(expires_at, now + SHORTEST_SESSION), now + LONGEST_SESSION)
        params: dict[str, Any] = {
            "mode": "payment",
            "line_items": [_line_item(line, currency_code) for line in lines],
            "metadata": metadata,
            "payment_intent_data": {"metadata": metadata},
            "client_reference_id": reference,
            "expires_at": int(ends_at.timestamp()),
            "success_url": success_url,
        }
        if email:
            params["customer_email"] = email
        if cancel_url:
            params["cancel_url"] = cancel_url
        made = _asked(
            lambda: self._client.v1.checkout.sessions.create(
                params,  # type: ignore[arg-type]  # a plain dict of the shape the library types
                {"idempotency_key": idempotency_key},
            )
        )
        if not made.url:
            raise PlatformUnavailable("Stripe answered without the address to pay at.")
        return Session(made.id, made.url)

    def end_session(self, session_id: str) -> str:
        """Let nobody pay a session any more; what it then is: expired, or complete where somebody was faster."""
        session = _asked(lambda: self._client.v1.checkout.sessions.retrieve(session_id))
        if session.status != "open":
            return str(session.status)
        return str(_asked(lambda: self._client.v1.checkout.sessions.expire(session_id)).status)

    def refund(self, payment_intent: str, *, amount: Decimal | None, refund_id: str) -> bool:
        """Pay `amount` back, or all that is left of the payment, once for each `refund_id`; False: all of it was back.

        Stripe remembers its keys for a day; a refund that names `refund_id` is found after that too.
        """
        given = _asked(lambda: self._client.v1.refunds.list({"payment_intent": payment_intent, "limit": 100}))
        for refund in given.data:
            # Not a dict, whatever its type says.
            is_this = getattr(refund.metadata, "refund_id", None) == refund_id
            if is_this and refund.status not in {"failed", "canceled"}:
                return True
        params: dict[str, Any] = {"payment_intent": payment_intent, "metadata": {"refund_id": refund_id}}
        if amount is not None:
            paid = _asked(lambda: self._client.v1.payment_intents.retrieve(payment_intent))
            params["amount"] = _smallest_units(amount, paid.currency)
        try:
            _asked(
                lambda: self._client.v1.refunds.create(
                    params,  # type: ignore[arg-type]  # as above
                    {"idempotency_key": f"refund:{refund_id}"},
                )
            )
        except PlatformRefused as error:
            if error.details["reason"] != "charge_already_refunded":
                raise
            return False
        return True


def _line_item(line: Line, currency_code: str) -> dict[str, Any]:
    product = {"name": line.title}
    if line.description:
        product["description"] = line.description
    amount = _smallest_units(line.unit_price, currency_code)
    return {
        "quantity": line.quantity,
        "price_data": {"currency": currency_code, "unit_amount": amount, "product_data": product},
    }


def _smallest_units(amount: Decimal, currency_code: str) -> int:
    if currency_code in _THOUSANDTHS:
        # In thousandths, of which the last digit has to be 0.
        return int(amount.quantize(Decimal("0.01"), ROUND_HALF_UP) * 1000)
    decimals = 0 if currency_code in _WHOLE else 2
    return int(amount.scaleb(decimals).quantize(Decimal(1), ROUND_HALF_UP))


def _asked(call: Callable[[], _T]) -> _T:
    try:
        return call()
    except (stripe.APIConnectionError, stripe.RateLimitError, stripe.IdempotencyError) as error:
        raise PlatformUnavailable(f"Stripe cannot be reached right now ({type(error).__name__}).") from error
    except stripe.StripeError as error:
        if error.http_status is None or error.http_status >= 500:
            raise PlatformUnavailable(f"Stripe failed (status {error.http_status}).") from error
        # The code, not the text: that may quote what was sent, an address for one.
        raise PlatformRefused(
            f"Stripe refused (status {error.http_status}): {error.code or type(error).__name__}",
            status=error.http_status,
            reason=error.code,
        ) from error
