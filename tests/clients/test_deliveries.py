"""A call to a receiver goes nowhere it must not, and ends in time."""

from __future__ import annotations

import time

import pycurl
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from bridge.clients import deliveries
from bridge.clients.deliveries import WebhookAddressRefused, WebhookTooSlow, WebhookUnreachable
from tests.tasks.receiver import receiving

SECRETS = ["whsec_" + "QUFB" * 8, "whsec_" + "QkJC" * 8]


def post(url, *, allow_private=True, body=b"{}"):
    return deliveries.post(url, headers={"x-test": "1"}, body=body, allow_private=allow_private)


def test_each_secret_signs():
    body = b'{"type":"booking.created"}'
    headers = deliveries.sign(body, webhook_id="evt_1", secrets=SECRETS)

    assert all(Webhook(secret).verify(body, headers) for secret in SECRETS)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "Q0ND" * 8).verify(body, headers)


def test_what_is_sent_arrives():
    with receiving(status=201, body=b"thanks") as receiver:
        answer = post(receiver.url, body=b'{"a": "\xc3\xa9"}')

    (heard,) = receiver.heard
    assert (answer.status, answer.text) == (201, "thanks")
    assert heard.body == b'{"a": "\xc3\xa9"}'
    assert (heard.headers["content-type"], heard.headers["x-test"]) == ("application/json", "1")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("soon", None),
        ("-5", None),
        ("99999999999999", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
    ],
)
def test_retry_after_is_understood_in_both_forms(header, seconds):
    with receiving(status=503, headers={"Retry-After": header}) as receiver:
        assert post(receiver.url).retry_after == seconds


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
def test_however_a_private_address_is_written_nothing_is_sent_there(host, rigged):
    with receiving() as receiver:
        port = receiver.url.rpartition(":")[2].partition("/")[0]
        with pytest.raises(WebhookAddressRefused):
            post(f"http://{host}:{port}/hook", allow_private=False)

    assert receiver.heard == []


@pytest.fixture
def rigged(monkeypatch):
    """Has plain HTTP pass, to servers without a certificate, and names resolve as told: {"name:port": addresses}."""
    names, real = [], pycurl.Curl

    class Rigged:
        """A handle of libcurl with these settings on top."""

        def __init__(self):
            self._curl = real()

        def __getattr__(self, name):
            return getattr(self._curl, name)

        def perform(self):
            self._curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP)
            self._curl.setopt(pycurl.RESOLVE, names)
            self._curl.perform()

    monkeypatch.setattr(deliveries.pycurl, "Curl", Rigged)
    return names


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_a_name_that_leads_to_a_private_address_is_refused(rigged, address):
    rigged.append(f"inside.test:80:{address}")

    with pytest.raises(WebhookAddressRefused) as refusal:
        post("http://inside.test/hook", allow_private=False)

    assert address.strip("[]") in refusal.value.message


def test_a_name_that_leads_to_both_is_not_followed_inside(rigged, monkeypatch):
    """Where the public address does not answer, the private one beside it is not tried instead."""
    monkeypatch.setattr(deliveries, "CONNECT_MILLISECONDS", 1000)
    with receiving() as receiver:
        port = receiver.url.rpartition(":")[2].partition("/")[0]
        # RFC 5737: nobody has this address, and for the sake of the test it counts as public.
        monkeypatch.setattr(deliveries, "is_public", lambda address: address == "192.0.2.1")
        rigged.append(f"both.test:{port}:192.0.2.1,127.0.0.1")
        with pytest.raises((WebhookAddressRefused, WebhookTooSlow, WebhookUnreachable)):
            post(f"http://both.test:{port}/hook", allow_private=False)

    assert receiver.heard == []


def test_a_name_that_changes_its_address_gains_nothing(rigged, monkeypatch):
    """What is looked at is the address of the very socket that is opened: there is no second look-up to deceive."""
    looked_at = []
    monkeypatch.setattr(deliveries, "is_public", lambda address: not looked_at.append(address))
    with receiving() as receiver:
        port = receiver.url.rpartition(":")[2].partition("/")[0]
        rigged.append(f"rebound.test:{port}:127.0.0.1")
        post(f"http://rebound.test:{port}/hook", allow_private=False)

    # One look, at where it then went.
    assert looked_at == ["127.0.0.1"]
    assert len(receiver.heard) == 1


def test_plain_http_is_not_spoken_to_the_world():
    with receiving() as receiver, pytest.raises(WebhookUnreachable):
        post(receiver.url, allow_private=False)

    assert receiver.heard == []


def test_a_proxy_of_the_environment_is_not_used(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with receiving() as receiver:
        assert post(receiver.url).status == 204


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path):
    with receiving() as receiver, pytest.raises(WebhookUnreachable):
        post(receiver.url.replace("http://", "https://"))


def test_a_receiver_that_hangs_is_left_in_time(monkeypatch):
    monkeypatch.setattr(deliveries, "WHOLE_MILLISECONDS", 300)
    with receiving() as receiver:
        receiver.act = receiver.hang
        began = time.monotonic()
        with pytest.raises(WebhookTooSlow):
            post(receiver.url)

    assert time.monotonic() - began < 5
