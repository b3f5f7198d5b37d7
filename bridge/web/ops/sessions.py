"""/ops/sign-in and /ops/sign-out: into the console and out of it."""

from __future__ import annotations

from flask import flash, g, redirect, request, url_for
from flask.typing import ResponseReturnValue

from bridge.errors import TooManyRequests
from bridge.web.limits import limit
from bridge.web.ops import operators
from bridge.web.ops.console import new_blueprint, page, read_field, safe_page

blueprint = new_blueprint("sessions", "/ops", is_open=True)


@blueprint.get("/sign-in")
def show_form() -> ResponseReturnValue:
    """The form to sign in with."""
    return _form()


@blueprint.post("/sign-in")
def sign_in() -> ResponseReturnValue:
    """Sign in with name and password, or with an API key. A wrong one is told no more than that."""
    # Counted before looking, so that guessing in parallel gains nothing.
    limit("sign_in", request.remote_addr or "")
    if key := read_field("key", is_required=False):
        is_right = operators.sign_in_with_key(key)
    else:
        # A password is taken as it was typed: a space at its end is part of it.
        name, password = read_field("name", is_required=False), request.form.get("password", "")[:1000]
        is_right = operators.sign_in_with_password(name, password)
    if not is_right:
        return _form(refusal="That is not right. Check it and try again."), 401
    return redirect(safe_page(request.form.get("next")) or url_for("ops_overview.show_overview"), 303)


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End the session."""
    operators.sign_out()
    flash("You are signed out.", "ok")
    return redirect(url_for("ops_sessions.show_form"), 303)


@blueprint.errorhandler(TooManyRequests)
def refuse_for_a_while(error: TooManyRequests) -> ResponseReturnValue:
    """The form again, with how long to wait."""
    g.operator = None
    refusal = f"Too many attempts. Try again in {error.retry_after} seconds."
    return _form(refusal=refusal), 429, {"Retry-After": str(error.retry_after)}


def _form(refusal: str | None = None) -> str:
    wanted = safe_page(request.values.get("next")) or ""
    return page("sign_in", refusal=refusal, next=wanted, name=request.form.get("name", "")[:200])
