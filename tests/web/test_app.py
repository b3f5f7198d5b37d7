"""How answers leave the application."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from werkzeug.test import create_environ, run_wsgi_app


def raw(app: Flask, path: str, method: str = "GET") -> tuple[Any, str, dict[str, str]]:
    """What the server is handed: the body as it is, the status, the headers."""
    seen: list[Any] = []
    body = app(create_environ(path, method=method), lambda status, headers, *_: seen.extend([status, dict(headers)]))
    return body, seen[0], seen[1]


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/store/resource-booking/availability"])
def test_a_whole_answer_is_handed_over_whole(app: Flask, path: str) -> None:
    body, _status, headers = raw(app, path)

    assert type(body) is list
    assert headers["Content-Length"] == str(sum(map(len, body)))
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_head_has_the_headers_of_get_and_no_body(app: Flask) -> None:
    body, status, headers = run_wsgi_app(app, create_environ("/healthz", method="HEAD"))
    _body, _status, expected = raw(app, "/healthz")

    assert (b"".join(body), status) == (b"", "200 OK")
    assert headers["Content-Length"] == expected["Content-Length"]


def test_a_redirect_is_left_to_werkzeug(app: Flask) -> None:
    body, status, headers = run_wsgi_app(app, create_environ("/ops"))

    assert status[:1] == "3"
    assert headers["Location"]
    assert b"".join(body)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("quantity=1&quantity=2&a=b&a=c", "Given more than once: quantity, a."),
        ("quantity=%00&x=1", "quantity: Must not contain NUL characters."),
        ("a%00=1", "a: Must not contain NUL characters."),
    ],
)
def test_a_query_that_says_two_things_or_nothing_sayable_is_refused(app: Flask, query: str, message: str) -> None:
    answer = app.test_client().get(f"/store/resource-booking/availability?{query}")

    assert (answer.status_code, answer.json["message"]) == (400, message)
