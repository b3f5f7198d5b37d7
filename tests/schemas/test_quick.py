"""The short way through a schema answers what marshmallow does, or nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError, fields

from schemas import appointments, availability, holds
from schemas.quick import QuickSchema

USUAL: dict[type[QuickSchema], dict[str, Any]] = {
    holds.PlaceHoldSchema: {
        "resource_id": "res_01",
        "dates": ["2030-02-01", "2030-02-28"],
        "quantity": 2,
        "customer_email": "Ada.Lovelace+tours@mail.example.test",
        "idempotency_token": "cart_1:item_1",
        "metadata": {"cart_id": "cart_1", "seats": 2, "is_gift": False, "note": None},
    },
    holds.ConfirmHoldSchema: {"order_id": "order_01", "line_item_id": "item_01"},
    holds.CustomerQuerySchema: {"customer_email": " Ada Lovelace@example.test"},
    availability.AvailabilityQuerySchema: {
        "resource_id": "res_01",
        "start_date": "2030-02-01",
        "end_date": "2031-01-31",
        "quantity": "3",
    },
}
USUAL |= {
    appointments.PlaceAppointmentSchema: {
        "service_id": "bksvc_01",
        "staff_id": "bkstf_01",
        "start_at": "2030-02-01T09:15:00+10:00",
        "customer_name": "Ada",
        "customer_email": "Ada@example.test",
        "customer_phone": "+61 7 0000 0000",
        "notes": "",
        "metadata": {"chair": 2},
    },
    appointments.StartsQuerySchema: {"date": "2030-02-01", "service_id": "bksvc_01", "staff_id": "bkstf_01"},
}
STARTS = [
    *("2030-02-01T09:15:00Z", "2030-02-01T09:15:00.000Z", "2030-02-28T23:59:59-04:30", "2030-01-31T00:00:00Z"),
    *(
        "2030-02-30T09:00:00Z",
        "2030-02-01T24:00:00Z",
        "2030-02-01T09:15Z",
        "2030-02-01 09:15:00Z",
        "2030-02-01T09:15:00",
    ),
    *(
        "2030-13-01T09:00:00Z",
        "2199-12-31T09:00:00Z",
        "1999-12-31T09:00:00Z",
        "2030-02-01T09:15:00+99:00",
        "20300201T0915Z",
    ),
    *("2010-01-01T00:00:00+13:45", "2030-02-01T09:15:00z", "2030-02-01T09:15:00Z\n", "２０３０-02-01T09:15:00Z"),
]
DAYS = [
    *("2030-02-01", "2030-02-28", "2030-02-29", "2032-02-29", "1999-12-31", "2000-01-01", "2199-12-31", "2200-01-01"),
    *("2030-2-1", "20300201", "2030-W05-1", "2030-02-01T00:00", " 2030-02-01", "2030-02-01\n", "２０３０-02-01", ""),
]
EMAILS = [
    *(
        "a@b.co",
        "A@B.CO",
        "a@b",
        "@b.co",
        "a@",
        "a.@b.co",
        ".a@b.co",
        "a@b..co",
        "a@-b.co",
        "a@b-.co",
        "ä@b.co",
        "a@ä.co",
    ),
    *(
        "a@localhost",
        "a@[127.0.0.1]",
        '"a b"@c.de',
        "a@b.c",
        "a@b.museum",
        "a@b.1234",
        "a\n@b.co",
        "a@b.co\n",
        "a b@c.de",
    ),
    *("x" * 243 + "@example.co", "x" * 242 + "@example.co", "a@" + "b" * 64 + ".co", "a@" + "b" * 63 + ".co"),
]
NUMBERS = [
    0,
    1,
    -1,
    1_000_000,
    1_000_001,
    2**70,
    1.0,
    1.5,
    True,
    False,
    "1",
    "0",
    "-1",
    "+1",
    "1.0",
    "٣",
    "",
    " 1",
    "1" * 9,
]
TEXTS = ["", "a", "x" * 200, "x" * 201, "ü\ud800", "\0", "a\nb"]
METADATA = [{}, {"a": 1}, {"a": {"b": [1]}}, {"a": "x" * 16384}, {"a": 1.5}, {"a": None}]
ODD = [None, [], {}, [1], 3.2, float("nan"), b"bytes", object]

anything = st.sampled_from([*DAYS, *EMAILS, *NUMBERS, *TEXTS, *METADATA, *ODD]) | st.text(max_size=12)


@st.composite
def bodies(draw: st.DrawFn, schema: type[QuickSchema]) -> Any:
    """A usual body in which something may be another thing, something may be missing, and something may be too much."""
    body = dict(USUAL[schema])
    for name in draw(st.sets(st.sampled_from(sorted(body)), max_size=2)):
        if name == "dates":
            body[name] = draw(st.lists(st.sampled_from(DAYS) | anything, max_size=4) | anything)
        elif name == "start_at":
            body[name] = draw(st.sampled_from(STARTS) | anything)
        elif name in {"start_date", "end_date", "date"}:
            body[name] = draw(st.sampled_from(DAYS) | anything)
        elif name == "customer_email":
            body[name] = draw(st.sampled_from(EMAILS) | st.emails() | anything)
        else:
            body[name] = draw(anything)
    for name in draw(st.sets(st.sampled_from(sorted(body)), max_size=1)):
        del body[name]
    if draw(st.integers(0, 9)) == 0:
        body[draw(st.sampled_from(["colour", "", "Quantity"]))] = draw(anything)
    return draw(anything) if draw(st.integers(0, 19)) == 0 else body


@pytest.mark.parametrize("schema", USUAL)
@given(content=st.data())
def test_the_short_way_answers_what_the_long_one_does_or_nothing(
    schema: type[QuickSchema], content: st.DataObject
) -> None:
    body = content.draw(bodies(schema))
    made = schema()

    quick = made.load_usual(body)

    if quick is not None:
        slow = Schema.load(made, body)
        assert quick == slow
        assert {name: type(value) for name, value in quick.items()} == {name: type(slow[name]) for name in slow}
    else:
        assert _outcome(lambda: made.load(body)) == _outcome(lambda: Schema.load(made, body))


@pytest.mark.parametrize("schema", USUAL)
def test_what_is_usual_takes_the_short_way(schema: type[QuickSchema]) -> None:
    body = USUAL[schema]
    made = schema()

    assert made.load_usual(body) == made.load(body) == Schema.load(made, body)
    least = {name: value for name, value in body.items() if made.fields[name].required}
    assert made.load_usual(least) == Schema.load(made, least)


@pytest.mark.parametrize("email", [email for email in EMAILS if email.isascii()])
def test_no_address_is_let_through_that_is_none(email: str) -> None:
    made = holds.PlaceHoldSchema()
    body = USUAL[holds.PlaceHoldSchema] | {"customer_email": email}

    assert made.load_usual(body) in (None, _outcome(lambda: Schema.load(made, body)))


def test_every_quick_schema_is_tested_here() -> None:
    assert set(USUAL) == set(QuickSchema.__subclasses__())


def test_a_field_that_is_not_quick_is_noticed() -> None:
    class SlowSchema(Schema):
        colour = fields.String()

    with pytest.raises(AssertionError):
        type("MixedSchema", (QuickSchema, SlowSchema), {})()


def _outcome(call: Any) -> Any:
    try:
        return call()
    except ValidationError as error:
        return error.normalized_messages()
    except Exception as error:  # What is no text at all breaks marshmallow itself, on either way.
        return type(error)
