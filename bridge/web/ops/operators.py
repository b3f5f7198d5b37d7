"""Who is signed in to the console: begun, looked up and ended in the session cookie."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta

from flask import session

from bridge import db
from bridge.core import keys, ops_users
from bridge.web.endpoints import settings

SESSION_LIFETIME = timedelta(hours=12)  # A shift; then one signs in again, however busy one was.


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody who signed in."""

    name: str  # For people.
    actor: str  # For the journal: "ops:<name>" or "key:<id>".


def sign_in_with_password(name: str, password: str) -> bool:
    """Begin a session of an account; False when name or password is not right."""
    with db.transaction() as conn:
        if not ops_users.check(conn, name, password):
            return False
    _begin("ops", name)
    return True


def sign_in_with_key(secret: str) -> bool:
    """Begin a session of an API key; False when it is none, or lacks the scope."""
    key = keys.identify(secret, bootstrap=settings().admin_api_key)
    if key is None or "ops" not in key.scopes:
        return False
    _begin("key", key.id)
    return True


def sign_out() -> None:
    """End the session."""
    session.clear()


def find_operator() -> Operator | None:
    """Who is signed in; nobody once the term is over, the password changed or the key was revoked."""
    kind, who = session.get("kind"), session.get("who")
    if kind is None or who is None or session.get("until", 0) < time.time():
        return None
    mark = _mark(kind, who)
    if mark is None or not hmac.compare_digest(mark, session.get("mark", "")):
        return None
    return Operator(name=who, actor=f"{kind}:{who}")


def _begin(kind: str, who: str) -> None:
    # Nothing of the session before lives on: neither its id nor its CSRF token.
    session.clear()
    session.permanent = True
    session["id"] = secrets.token_urlsafe(16)
    session["kind"], session["who"], session["mark"] = kind, who, _mark(kind, who)
    session["until"] = time.time() + SESSION_LIFETIME.total_seconds()


def _mark(kind: str, who: str) -> str | None:
    """What the credential is now. Keyed, because the holder of a cookie can read it."""
    credential = _credential(kind, who)
    if credential is None:
        return None
    return hmac.new(settings().secret_key.encode(), credential.encode(), hashlib.sha256).hexdigest()


def _credential(kind: str, who: str) -> str | None:
    if who == "ADMIN_API_KEY" and kind == "key":
        return settings().admin_api_key
    with db.transaction() as conn:
        if kind == "ops":
            return ops_users.find_mark(conn, who)
        return next((key.id for key in keys.list_keys(conn) if _lets_in(key, who)), None)


def _lets_in(key: keys.ApiKey, key_id: str) -> bool:
    return key.id == key_id and key.revoked_at is None and "ops" in key.scopes
