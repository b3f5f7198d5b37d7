"""What all pages of the console share: who may see them, how they are protected, how they fail."""

from __future__ import annotations

import re
from typing import Any, cast

import psycopg
import structlog
from flask import Blueprint, Flask, Request, flash, g, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask.typing import ResponseReturnValue
from flask.wrappers import Response
from flask_wtf.csrf import CSRFError, CSRFProtect
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException

from bridge.errors import BridgeError, InvalidData, TooManyRequests, Unavailable
from bridge.web.errors import STATUS
from bridge.web.ops import texts
from bridge.web.ops.operators import SESSION_LIFETIME, Operator, find_operator

REFRESH_SECONDS = 15  # Often enough to watch a queue drain, seldom enough to read a line in peace.
MAX_FORM_BYTES = 2 * 1024 * 1024  # A webhook's body may be 1 MiB, and is longer when it is laid out to be read.

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self';"
        " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# Pages of ours that a form may name to go back to. Nothing that could name another host, or break a header.
_OUR_PAGE = re.compile(r"/ops(?:[/?][\w/?&=%.:+~@-]*)?")

csrf = CSRFProtect()
log = structlog.get_logger("bridge.web")


class ConsoleSessions(SecureCookieSessionInterface):
    """Sessions of the console alone, whose cookie is marked Secure wherever it is reached by HTTPS."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        # Nobody else has one, and reading it would be a twentieth of a storefront's request.
        return super().open_session(app, request) if request.path.startswith("/ops") else self.make_null_session(app)

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def new_blueprint(noun: str, prefix: str, *, is_open: bool = False) -> Blueprint:
    """A blueprint of console pages. Without `is_open` only those who signed in see them."""
    blueprint = Blueprint(f"ops_{noun}", __name__, url_prefix=prefix)
    blueprint.record(_prepare)
    if not is_open:
        blueprint.before_request(_demand_operator)
    blueprint.before_request(_refuse_forgery)
    blueprint.after_request(_add_headers)
    blueprint.register_error_handler(Exception, answer_error)
    return blueprint


def operator() -> Operator:
    """Who is signed in, on a page that demands it."""
    signed_in: Operator = g.operator
    return signed_in


def page(name: str, /, **given: Any) -> str:
    """The page `ops/<name>.html`. `?refresh` makes the browser ask for it again, on pages that offer it."""
    refresh = REFRESH_SECONDS if given.pop("may_refresh", False) and "refresh" in request.args else None
    return render_template(f"ops/{name}.html", here=_here(), operator=g.get("operator"), refresh=refresh, **given)


def read_field(name: str, *, longest: int = 1000, is_required: bool = True) -> str:
    """A field of the form that was sent. Raises InvalidData."""
    text = request.form.get(name, "").strip()
    if is_required and not text:
        raise InvalidData(f"Please fill in: {name}.")
    if len(text) > longest or "\0" in text:
        raise InvalidData(f"{name}: at most {longest} characters, and no NUL.")
    return text


def go_back(default: str) -> ResponseReturnValue:
    """To the page that the form came from."""
    return redirect(safe_page(request.values.get("back")) or default, 303)


def safe_page(path: str | None) -> str | None:
    """`path` if it is a page of ours."""
    return path if path and _OUR_PAGE.fullmatch(path) else None


def answer_error(error: Exception) -> ResponseReturnValue:
    """A refused action goes back to where it was asked for and says why; anything else is a page that says it."""
    status, message = _explain(error)
    if status >= 500 and not isinstance(error, BridgeError | HTTPException):
        log.exception("unexpected error")
    back = safe_page(request.form.get("back")) if request.method == "POST" and status != 413 else None
    if back and isinstance(error, BridgeError) and status < 500:
        flash(message, "error")
        return redirect(back, 303)
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, Unavailable | TooManyRequests) else {}
    shown = page("error", status=status, message=message, request_id=g.get("request_id"))
    return Response(shown, status, headers, mimetype="text/html")


def _prepare(state: BlueprintSetupState) -> None:
    """Set the application up for the console, once however many blueprints it has."""
    app = cast(Flask, state.app)
    if "csrf" in app.extensions:
        return
    app.session_interface = ConsoleSessions()
    app.config.update(
        SESSION_COOKIE_NAME="bridge_ops",
        SESSION_COOKIE_PATH="/ops",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=SESSION_LIFETIME,
        WTF_CSRF_CHECK_DEFAULT=False,  # The API has bearer keys, which no browser sends by itself.
        WTF_CSRF_TIME_LIMIT=None,  # A token lasts as long as its session: people leave pages open.
    )
    csrf.init_app(app)
    app.jinja_env.filters.update(texts.FILTERS)


def _demand_operator() -> ResponseReturnValue | None:
    g.operator = find_operator()
    if g.operator is not None:
        return None
    if request.method != "GET":
        flash("Your session has ended, so nothing was done. Sign in and try again.", "error")
    wanted = _here() if request.method == "GET" else None
    return redirect(url_for("ops_sessions.show_form", next=safe_page(wanted)), 303)


_demand_operator.demands = "ops"  # type: ignore[attr-defined]  # read by the tests, as that of auth.demand


def _refuse_forgery() -> None:
    if request.method == "POST":
        if "operator" in g:
            request.max_content_length = request.max_form_memory_size = MAX_FORM_BYTES
        # Browsers say where a request comes from, and pages cannot change it; what says nothing has the token to show.
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            raise CSRFError
        csrf.protect()


def _add_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response


def _here() -> str:
    return request.full_path.rstrip("?")


def _explain(error: Exception) -> tuple[int, str]:
    match error:
        case BridgeError():
            return STATUS[error.kind], error.message
        case CSRFError():
            return 400, "This form is too old, or was not sent by this console. Nothing was done: reload and try again."
        case ValidationError():
            fields = error.normalized_messages()  # type: ignore[no-untyped-call]  # the library leaves it untyped
            return 400, "; ".join(f"{name}: {texts.flatten(messages)}" for name, messages in fields.items())
        case psycopg.DataError():
            return 400, "A value is outside what can be stored."
        case HTTPException(code=int(code)):
            return code, error.description or error.name
        case _:
            return 500, "Something went wrong on our side; it has been logged."
