"""Guests' own pages, under /manage: the signed link of a mail is the key to one booking, and to nothing else.

Who has the link may act, so forms need no further token: nobody who does not know the address can aim a form at it.
What a browser says comes from another site's page is refused all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask.wrappers import Response
from marshmallow import Schema, ValidationError

from bridge import links
from bridge.core.booking_log import By
from bridge.errors import BridgeError, Forbidden, InvalidData, LinkInvalid, NotFound
from bridge.web import observe
from bridge.web.endpoints import settings
from bridge.web.errors import STATUS, answer_error
from bridge.web.limits import limit_writes

blueprint = Blueprint("manage", __name__, url_prefix="/manage")
blueprint.before_request(limit_writes)

LONGEST_AGENT = 500  # Of what a browser says it is.

# What each kind of link leads to: a module with `show(id, token)` and ACTIONS, functions of the same arguments by the
# last part of the address; those that `READS` names are fetched, all others are posted.
KINDS: dict[str, ModuleType] = {}

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self';"
        " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # The address is the key.
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}


@blueprint.get("/<token>")
def show(token: str) -> ResponseReturnValue:
    """The page of what the link is for."""
    noun, thing_id = _open(token)
    page: ResponseReturnValue = noun.show(thing_id, token)
    return page


@blueprint.get("/<token>/<action>")
def read(token: str, action: str) -> ResponseReturnValue:
    """A part of it: its calendar file, say."""
    noun, thing_id = _open(token)
    if action not in noun.READS:
        raise NotFound
    answer: ResponseReturnValue = noun.ACTIONS[action](thing_id, token)
    return answer


@blueprint.post("/<token>/<action>")
def act(token: str, action: str) -> ResponseReturnValue:
    """Change or cancel it."""
    # Browsers say where a request comes from, and pages cannot change it; programs say nothing.
    if request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
        raise Forbidden("This form was not sent from our page. Nothing was done.")
    noun, thing_id = _open(token)
    if action not in noun.ACTIONS or action in noun.READS:
        raise NotFound
    answer: ResponseReturnValue = noun.ACTIONS[action](thing_id, token)
    return answer


def page(name: str, /, **given: Any) -> str:
    """The page `manage/<name>.html`."""
    return render_template(f"manage/{name}.html", **given)


def wants_json() -> bool:
    """Whether the caller is a program: it asks for JSON rather than for a page."""
    best = request.accept_mimetypes.best_match(["text/html", "application/json"], "text/html")
    return best == "application/json"


def guest() -> By:
    """Whoever has the link, for the log."""
    agent = request.headers.get("User-Agent", "")[:LONGEST_AGENT]
    return By(name="guest", ip_address=request.remote_addr, user_agent=agent or None)


def load_form(schema: Schema, sent: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a form or a program sent, or `sent`, as `schema` reads it. Raises InvalidData, in words for a person."""
    if sent is None:
        sent = request.get_json(silent=True) if request.is_json else request.form.to_dict()
    given = {name: value for name, value in sent.items() if value != ""} if isinstance(sent, Mapping) else {}
    try:
        loaded: dict[str, Any] = schema.load(given)
    except ValidationError as error:
        fields = ", ".join(str(name).replace("_", " ") for name in error.messages_dict)
        raise InvalidData(f"This cannot be read: {fields}.") from error
    return loaded


@blueprint.after_request
def add_headers(response: Response) -> Response:
    """Let a page do nothing but show itself, and tell nobody its address."""
    response.headers.update(HEADERS)
    return response


@blueprint.errorhandler(BridgeError)
def explain(error: BridgeError) -> ResponseReturnValue:
    """Say to a person what went wrong, and to a program as everywhere."""
    if wants_json():
        return answer_error(error)
    observe.count_refusal(error)
    # From a page that is theirs they may go on.
    token = (request.view_args or {}).get("token")
    is_lost = isinstance(error, LinkInvalid) or token is None
    back = None if is_lost else url_for("manage.show", token=token)
    return page("error", error=error, back=back), STATUS[error.kind]


def _open(token: str) -> tuple[ModuleType, str]:
    kind, thing_id = links.read(settings(), token)
    if kind not in KINDS:
        raise LinkInvalid
    return KINDS[kind], thing_id
