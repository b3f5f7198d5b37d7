"""What a guest meets whose link is not good."""

from __future__ import annotations

from bridge import links


def test_a_forged_link_gets_a_page_that_says_so(client):
    answer = client.get("/manage/forged")

    assert answer.status_code == 403
    assert answer.mimetype == "text/html"
    assert "This link is not valid" in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_a_program_gets_the_same_as_json(client):
    answer = client.get("/manage/forged", headers={"Accept": "application/json"})

    assert (answer.status_code, answer.json["code"]) == (403, "link_invalid")


def test_a_link_to_a_kind_of_thing_that_does_not_exist_is_not_good(client, config):
    answer = client.post(f"/manage/{links.sign(config, 'unheard-of', 'x')}/cancel")

    assert answer.status_code == 403
