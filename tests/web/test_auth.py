"""Who may call: API keys by scope, and the platform's own tokens."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jwt
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bridge import db
from bridge.config import Config
from bridge.core import keys
from bridge.web import create_app
from tests.conftest import ADMIN_KEY, JWT_SECRET
from tests.factories import make_hold, make_resource

ADMIN = "/admin/resource-booking/resources"
OPS = "/ops/api/queues"
Headers = dict[str, str]

pytestmark = pytest.mark.usefixtures("database_url")


def make_key(*scopes: str) -> tuple[str, str]:
    """A key's id and its secret."""
    with db.transaction() as conn:
        key, secret = keys.create_key(conn, name="tests", scopes=scopes)
    return key.id, secret


def bearer(token: str) -> Headers:
    return {"Authorization": f"Bearer {token}"}


def confirm(client: FlaskClient, headers: Headers) -> TestResponse:
    """The one call that needs the scope `system`."""
    with db.transaction() as conn:
        hold_id = make_hold(conn, *make_resource(conn))
    path = f"/store/resource-booking/holds/{hold_id}/confirm"
    return client.post(path, json={"order_id": "order_1"}, headers=headers)


# -- keys --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "admin", "ops", "system"), [("admin", 200, 403, 401), ("ops", 403, 200, 401), ("system", 403, 403, 200)]
)
def test_a_key_opens_what_its_scope_says(client: FlaskClient, scope: str, admin: int, ops: int, system: int) -> None:
    headers = bearer(make_key(scope)[1])

    assert client.get(ADMIN, headers=headers).status_code == admin
    assert client.get(OPS, headers=headers).status_code == ops
    assert confirm(client, headers).status_code == system


def test_a_key_may_have_several_scopes(client: FlaskClient) -> None:
    headers = bearer(make_key("admin", "ops")[1])

    assert [client.get(path, headers=headers).status_code for path in (ADMIN, OPS)] == [200, 200]


def test_the_key_of_the_environment_has_every_scope(client: FlaskClient) -> None:
    headers = bearer(ADMIN_KEY)

    assert [client.get(path, headers=headers).status_code for path in (ADMIN, OPS)] == [200, 200]
    assert confirm(client, headers).status_code == 200


def test_a_scope_that_is_missing_is_named(client: FlaskClient) -> None:
    answer = client.get(ADMIN, headers=bearer(make_key("ops")[1]))

    assert answer.json == {
        "type": "forbidden",
        "code": "forbidden",
        "message": "This needs the scope admin.",
        "details": {},
    }


@pytest.mark.parametrize("path", [ADMIN, OPS])
def test_without_a_credential_nobody_comes_in(client: FlaskClient, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json == {
        "type": "unauthorized",
        "code": "unauthorized",
        "message": "Credentials are missing or not valid.",
        "details": {},
    }


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {ADMIN_KEY}x",
        f"Bearer {ADMIN_KEY[:-1]}",
        f"Basic {ADMIN_KEY}",
        ADMIN_KEY,
        f"bearer{ADMIN_KEY}",
        "Bearer \xe9\xff",
        "Bearer ..",
        "Bearer a.b.c",
        "Bearer " + "x" * 5000,
    ],
)
@pytest.mark.parametrize("path", [ADMIN, OPS])
def test_a_wrong_credential_is_refused(client: FlaskClient, path: str, header: str) -> None:
    answer = client.get(path, headers={"Authorization": header})

    assert (answer.status_code, answer.json["type"]) == (401, "unauthorized")


def test_the_scheme_may_be_written_in_any_case(client: FlaskClient) -> None:
    assert client.get(ADMIN, headers={"Authorization": f"bearer {ADMIN_KEY}"}).status_code == 200


def test_a_key_in_the_query_is_no_credential(client: FlaskClient) -> None:
    assert client.get(ADMIN, query_string={"api_key": ADMIN_KEY}).status_code == 401


def test_a_revoked_key_opens_nothing_within_seconds(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    key_id, secret = make_key("admin")
    before = client.get(ADMIN, headers=bearer(secret))
    with db.transaction() as conn:
        keys.revoke_key(conn, key_id)

    # As many seconds later as the bridge may go on believing a key.
    later = time.monotonic() + 5.1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    after = client.get(ADMIN, headers=bearer(secret))

    assert [before.status_code, after.status_code] == [200, 401]


def test_a_key_revoked_before_it_was_ever_used_opens_nothing(client: FlaskClient) -> None:
    key_id, secret = make_key("admin")
    with db.transaction() as conn:
        keys.revoke_key(conn, key_id)

    assert client.get(ADMIN, headers=bearer(secret)).status_code == 401


def test_a_key_is_kept_as_a_hash_only(client: FlaskClient) -> None:
    key_id, secret = make_key("admin")

    with db.transaction() as conn:
        row = conn.execute("SELECT * FROM api_key WHERE id = %s", [key_id]).fetchone()

    assert secret not in str(row)
    assert len(secret) > 40


# -- the platform's tokens ---------------------------------------------------------------------------------------------


def token(secret: str = JWT_SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    """A token as the platform makes them; a claim that is None is left out."""
    now = int(time.time())
    claims = {"actor_id": "user_1", "actor_type": "user", "auth_identity_id": "authid_1", "iat": now, "exp": now + 60}
    left = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    return jwt.encode(left, secret, algorithm=algorithm)


def test_staff_of_the_platform_are_admins(client: FlaskClient) -> None:
    assert client.get(ADMIN, headers=bearer(token())).status_code == 200


def test_staff_of_the_platform_are_no_operators(client: FlaskClient) -> None:
    assert client.get(OPS, headers=bearer(token())).status_code == 403


@pytest.mark.parametrize("path", [ADMIN, OPS])
def test_a_customer_of_the_platform_is_neither(client: FlaskClient, path: str) -> None:
    headers = bearer(token(actor_id="cus_1", actor_type="customer"))

    assert client.get(path, headers=headers).status_code == 403


def test_a_customers_token_confirms_nothing(client: FlaskClient) -> None:
    assert confirm(client, bearer(token(actor_id="cus_1", actor_type="customer"))).status_code == 401


# Made when the test runs: a token lives for a minute.
FORGERIES: dict[str, Callable[[], str]] = {
    "expired": lambda: token(exp=int(time.time()) - 60),
    "not yet valid": lambda: token(nbf=int(time.time()) + 3600),
    "another secret": lambda: token(secret=JWT_SECRET[::-1]),
    "HS512": lambda: token(algorithm="HS512"),
    "HS384": lambda: token(algorithm="HS384"),
    "alg none": lambda: jwt.encode({"actor_id": "user_1", "actor_type": "user"}, None, algorithm="none"),
    "no actor": lambda: token(actor_id=None),
    "empty actor": lambda: token(actor_id=""),
    "a number for an actor": lambda: token(actor_id=7),
    "an endless actor": lambda: token(actor_id="u" * 201),
    "no kind of actor": lambda: token(actor_type=None),
    "another kind of actor": lambda: token(actor_type="api-key"),
    "a list for a kind": lambda: token(actor_type=["user"]),
    "no time for a time": lambda: token(exp="soon"),
    "no signature": lambda: token().rpartition(".")[0] + ".",
    "another signature": lambda: token().rpartition(".")[0] + "." + "A" * 43,
    "no header": lambda: "." + token().partition(".")[2],
    "another claim": lambda: ".".join(
        [token().split(".")[0], token(actor_id="user_2").split(".")[1], token().split(".")[2]]
    ),
}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_token_that_is_not_the_platforms_is_refused(client: FlaskClient, forgery: str) -> None:
    answer = client.get(ADMIN, headers=bearer(FORGERIES[forgery]()))

    assert (answer.status_code, answer.json["type"]) == (401, "unauthorized")


def test_a_bridge_without_the_platforms_secret_believes_no_token(config: Config) -> None:
    client = create_app(replace(config, medusa_jwt_secret="")).test_client()

    assert client.get(ADMIN, headers=bearer(token())).status_code == 401


def test_what_staff_of_the_platform_do_is_journalled_under_their_name(client: FlaskClient) -> None:
    with db.transaction() as conn:
        resource_id, dates = make_resource(conn)
        make_hold(conn, resource_id, dates)
    body = {
        "resource_id": resource_id,
        "start_date": str(dates[0]),
        "end_date": str(dates[0]),
        "cancel_existing_holds": True,
    }

    client.post("/admin/resource-booking/blackouts", json=body, headers=bearer(token(actor_id="user_ada")))

    with db.transaction() as conn:
        actors = conn.execute("SELECT actor FROM journal WHERE resource_id = %s ORDER BY n DESC", [resource_id])
        assert actors.fetchone() == {"actor": "user:user_ada"}
