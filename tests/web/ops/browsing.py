"""What a browser does with the console's forms."""

from __future__ import annotations

import re

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

PASSWORD = "correct horse battery"
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


def token_of(browser: FlaskClient, page: str = "/ops/") -> str:
    """The CSRF token of a page's form."""
    found = _TOKEN.search(browser.get(page).text)
    assert found, f"no form on {page}"
    return found[1]


def send(
    browser: FlaskClient, path: str, fields: dict[str, str] | None = None, *, form_at: str = "/ops/"
) -> TestResponse:
    """Send a form as a browser does, with the token of the page it stands on."""
    return browser.post(path, data={"csrf_token": token_of(browser, form_at), **(fields or {})})
