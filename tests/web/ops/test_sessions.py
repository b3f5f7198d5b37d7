"""/ops/sign-in and /ops/sign-out: into the console and out of it."""

from __future__ import annotations

import pytest

from bridge import db
from bridge.core import keys, ops_users
from tests.conftest import ADMIN_KEY
from tests.web.ops.browsing import PASSWORD, send, token_of
from tests.web.ops.rows import committed


def sign_in(browser, **fields):
    return send(browser, "/ops/sign-in", fields, form_at="/ops/sign-in")


def test_the_right_password_leads_to_the_overview(browser, operator):
    answer = sign_in(browser, name=operator, password=PASSWORD)

    assert (answer.status_code, answer.location) == (303, "/ops/")
    assert operator in browser.get("/ops/").text


def test_the_bare_address_is_the_overview(console):
    assert console.get("/ops").status_code == 200


@pytest.mark.parametrize("scope", ["ops", "system"])
def test_a_key_lets_in_if_it_has_the_scope(browser, scope):
    _key, secret = committed(keys.create_key, name="tests", scopes=[scope])

    answer = sign_in(browser, key=secret)

    assert answer.status_code == (303 if scope == "ops" else 401)


def test_the_key_from_the_environment_lets_in(browser):
    assert sign_in(browser, key=ADMIN_KEY).status_code == 303


@pytest.mark.parametrize(
    "fields",
    [
        {"password": "wrong"},
        {"password": ""},
        {"password": f"{PASSWORD} "},
        {"password": "\0"},
        {"name": "nobody", "password": PASSWORD},
        {"key": "bk_wrong"},
    ],
)
def test_a_wrong_one_is_refused_alike(browser, operator, fields):
    answer = sign_in(browser, **{"name": operator, **fields})

    assert answer.status_code == 401
    assert "That is not right." in answer.text
    assert browser.get("/ops/").status_code == 303


def test_guessing_is_slowed_down(browser, operator):
    token = token_of(browser, "/ops/sign-in")
    guesses = [
        browser.post("/ops/sign-in", data={"csrf_token": token, "key": f"bk_{n}"}).status_code for n in range(10)
    ]

    refused = browser.post("/ops/sign-in", data={"csrf_token": token, "name": operator, "password": PASSWORD})

    assert guesses == [401] * 10
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert "Too many attempts" in refused.text
    assert browser.get("/ops/").status_code == 303


def test_a_visitor_is_sent_to_the_door_and_then_where_they_wanted(browser, operator):
    sent = browser.get("/ops/events?status=failed")
    door = browser.get(sent.location)
    answer = send(
        browser,
        "/ops/sign-in",
        {"name": operator, "password": PASSWORD, "next": "/ops/events?status=failed"},
        form_at=sent.location,
    )

    assert sent.location.startswith("/ops/sign-in?next=")
    assert "/ops/events?status=failed" in door.text
    assert answer.location == "/ops/events?status=failed"


@pytest.mark.parametrize("elsewhere", ["https://evil.test/", "//evil.test", "/ops\r\nX: y", "/opsevil", "/ops/\\evil"])
def test_nobody_is_sent_elsewhere(browser, operator, elsewhere):
    answer = sign_in(browser, name=operator, password=PASSWORD, next=elsewhere)

    assert (answer.status_code, answer.location) == (303, "/ops/")


def test_the_cookie_is_kept_from_scripts_and_other_sites(browser, operator):
    token = token_of(browser, "/ops/sign-in")
    plain = browser.post("/ops/sign-in", data={"csrf_token": token, "name": operator, "password": PASSWORD})
    cookie = plain.headers["Set-Cookie"]

    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/ops" in cookie
    assert "Secure" not in cookie


def test_the_cookie_is_secure_over_https(app, address):
    browser = app.test_client()
    answer = browser.get("/ops/sign-in", base_url="https://localhost", environ_overrides={"REMOTE_ADDR": address})

    assert "Secure" in answer.headers["Set-Cookie"]


def test_signing_in_changes_the_session_and_its_token(browser, operator):
    before = token_of(browser, "/ops/sign-in")
    sign_in(browser, name=operator, password=PASSWORD)
    with browser.session_transaction(path="/ops") as session:
        first_id = session["id"]
    sign_in(browser, name=operator, password=PASSWORD)
    with browser.session_transaction(path="/ops") as session:
        second_id = session["id"]

    stale = browser.post("/ops/sign-out", data={"csrf_token": before})

    assert first_id != second_id
    assert stale.status_code == 400


def test_a_session_ends_after_a_shift(console):
    with console.session_transaction(path="/ops") as session:
        session["until"] -= 12 * 3600 + 1

    assert console.get("/ops/").status_code == 303


def test_a_new_password_ends_the_session(console, operator):
    with db.transaction() as conn:
        ops_users.set_password(conn, operator, "another long password")

    assert console.get("/ops/").status_code == 303


def test_a_revoked_key_ends_the_session(browser):
    key, secret = committed(keys.create_key, name="tests", scopes=["ops"])
    sign_in(browser, key=secret)
    inside = browser.get("/ops/").status_code
    committed(keys.revoke_key, key_id=key.id)

    assert inside == 200
    assert browser.get("/ops/").status_code == 303


def test_signing_out_ends_the_session(console):
    answer = send(console, "/ops/sign-out")

    assert answer.status_code == 303
    assert console.get("/ops/").status_code == 303


def test_a_link_cannot_sign_anybody_out(console):
    console.get("/ops/sign-out")

    assert console.get("/ops/").status_code == 200


@pytest.mark.parametrize(
    "path", ["/ops/sign-in", "/ops/sign-out", "/ops/events/retry", "/ops/queues/bridge.events/pause"]
)
def test_a_form_without_its_token_is_refused(console, path):
    answer = console.post(path, data={"name": "x", "password": "y"})

    assert answer.status_code == 400
    assert answer.mimetype == "text/html"
    assert "not sent by this console" in answer.text


def test_a_form_sent_from_another_site_is_refused_whatever_its_token(console):
    token = token_of(console)

    answer = console.post("/ops/sign-out", data={"csrf_token": token}, headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 400


def test_the_api_does_not_take_the_consoles_cookie(console):
    assert console.get("/ops/api/events").status_code == 401


def test_the_first_account_is_made_once(conn):
    with conn.transaction(force_rollback=True):
        conn.execute("DELETE FROM ops_user")
        without = ops_users.ensure_first(conn, "ops", "")
        first = ops_users.ensure_first(conn, "ops", "short")
        again = ops_users.ensure_first(conn, "ops", "other")

        assert (without, first, again) == (False, True, False)
        assert ops_users.check(conn, "ops", "short")
        assert not ops_users.check(conn, "ops", "other")
