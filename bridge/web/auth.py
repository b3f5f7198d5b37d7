"""Who is calling: API keys and the platform's own tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import jwt
from flask import g, request

from bridge.core import keys
from bridge.errors import Forbidden, Unauthorized
from bridge.web.endpoints import settings


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whose credentials were checked."""

    name: str  # For the journal: "key:<id>", "user:<id>", "customer:<id>".
    scopes: frozenset[str] = frozenset()
    customer_id: str | None = None


def demand(scope: str) -> Callable[[], None]:
    """A before_request that lets only callers with `scope` in. Raises Unauthorized or Forbidden."""

    def check() -> None:
        if request.method != "OPTIONS":
            require(scope)

    check.demands = scope  # type: ignore[attr-defined]  # read by the OpenAPI document and the tests
    return check


def require(scope: str) -> Caller:
    """The caller, who must have `scope`. Raises Unauthorized or Forbidden."""
    caller = identify()
    if caller is None:
        raise Unauthorized
    if scope not in caller.scopes:
        raise Forbidden(f"This needs the scope {scope}.")
    return caller


# What the OpenAPI document says of routes for_somebody: a customer's or staff's token, or a guest's link in the query.
OR_LINK: dict[str, Any] = {"security": [{"bearer": []}, {}]}


def for_somebody(view: Callable[..., Any]) -> Callable[..., Any]:
    """Turn away who does not say who they are, before anything of the request is read. Raises Unauthorized."""

    @wraps(view)
    def wrapper(**kwargs: Any) -> Any:
        if identify() is None and not request.args.get("token"):
            raise Unauthorized
        return view(**kwargs)

    return wrapper


def identify() -> Caller | None:
    """The caller, or None without credentials. Raises Unauthorized when there are some and they are not valid."""
    if "caller" not in g:
        g.caller = _identify(request.headers.get("Authorization"))
    caller: Caller | None = g.caller
    return caller


def actor() -> str:
    """The caller's name for the journal."""
    caller = identify()
    return caller.name if caller else "store"


def _identify(header: str | None) -> Caller | None:
    if not header:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized
    token = token.strip()
    return _by_token(token) if token.count(".") == 2 else _by_key(token)


def _by_key(token: str) -> Caller:
    key = keys.identify(token, bootstrap=settings().admin_api_key)
    if key is None:
        raise Unauthorized
    return Caller(f"key:{key.id}", frozenset(key.scopes))


def _by_token(token: str) -> Caller:
    secret = settings().medusa_jwt_secret
    if not secret:
        raise Unauthorized
    try:
        # The algorithm is ours to choose: believing the token's own is how tokens are forged.
        content = jwt.decode(token, secret, algorithms=["HS256"], leeway=10)
    except jwt.PyJWTError as error:
        raise Unauthorized from error
    who = content.get("actor_id")
    if not isinstance(who, str) or not 0 < len(who) <= 200:
        raise Unauthorized
    if content.get("actor_type") == "user":
        return Caller(f"user:{who}", frozenset({"admin"}))
    if content.get("actor_type") == "customer":
        return Caller(f"customer:{who}", customer_id=who)
    raise Unauthorized
