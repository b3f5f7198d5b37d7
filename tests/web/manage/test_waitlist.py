"""A guest's page of a place on the waitlist: where it stands, taking what is offered, leaving."""

from __future__ import annotations

from flask.testing import FlaskClient

from bridge import db, links
from bridge.config import Config
from bridge.core import holds, waitlist
from tests.waiting import lapse_offer, make_slot, make_tour, statuses, take, wait

HTML = {"Accept": "text/html"}


def queue(config: Config, *parties: int, offered: bool = True) -> list[tuple[waitlist.Entry, str]]:
    """People who wait for a departure, the first of them with an offer; each with the path of their page."""
    with db.transaction() as conn:
        tour_id = make_tour(conn)
        held = take(conn, tour_id, make_slot(conn, tour_id, capacity=max(parties)), max(parties))
        entries = [wait(conn, tour_id, party) for party in parties]
        if offered:
            holds.release_hold(conn, held, actor="tests")
    return [(entry, f"/manage/{links.sign(config, 'waitlist', entry.id)}") for entry in entries]


def test_who_waits_sees_their_place_and_may_leave(client: FlaskClient, config: Config) -> None:
    (entry, path), (_second, second_path) = queue(config, 1, 1, offered=False)

    page = client.get(second_path, headers=HTML)
    left = client.post(f"{path}/leave")
    after = client.get(path, headers=HTML)

    assert "number 2 on the waitlist" in page.text
    assert left.status_code == 303
    assert "no longer on the waitlist" in after.text
    assert "number 1 on the waitlist" in client.get(second_path, headers=HTML).text
    with db.transaction() as conn:
        assert statuses(conn, entry) == ["cancelled"]


def test_what_is_offered_is_taken_and_leads_to_the_booking(client: FlaskClient, config: Config) -> None:
    ((entry, path),) = queue(config, 2)

    page = client.get(path, headers=HTML)
    taken = client.post(f"{path}/accept", data={"adults": "1", "children": "1", "infants": "0"})
    booking = client.get(taken.headers["Location"].replace(config.base_url, ""), headers=HTML)
    again = client.post(f"{path}/accept", data={"adults": "2"})
    after = client.get(path, headers=HTML)

    assert "Seats are held for you" in page.text and "Take the seats" in page.text
    assert "style=" not in page.text and "<script" not in page.text
    assert taken.status_code == 303
    assert "1 adult, 1 child" in booking.text and "pending" in booking.text
    assert links.read(config, again.headers["Location"].rpartition("/")[2]) == links.read(
        config, taken.headers["Location"].rpartition("/")[2]
    )
    assert "You took the seats" in after.text and "See your booking" in after.text
    with db.transaction() as conn:
        assert statuses(conn, entry) == ["converted"]


def test_what_is_declined_goes_to_the_next(client: FlaskClient, config: Config) -> None:
    (first, path), (second, _path) = queue(config, 1, 1)

    declined = client.post(f"{path}/leave", headers={"Accept": "application/json"})

    assert (declined.status_code, declined.json["status"]) == (200, "cancelled")
    with db.transaction() as conn:
        assert statuses(conn, first, second) == ["cancelled", "notified"]


def test_an_offer_that_has_lapsed_says_so(client: FlaskClient, config: Config) -> None:
    ((entry, path),) = queue(config, 1)
    with db.transaction() as conn:
        lapse_offer(conn, entry)

    page = client.get(path, headers=HTML)
    late = client.post(f"{path}/accept", headers=HTML)

    assert "were not taken up in time" in page.text
    assert (late.status_code, "offer has expired" in late.text) == (409, True)


def test_a_party_that_does_not_fit_is_told(client: FlaskClient, config: Config) -> None:
    ((entry, path),) = queue(config, 2)

    refused = client.post(f"{path}/accept", data={"adults": "2", "children": "1"}, headers=HTML)

    assert refused.status_code == 400
    with db.transaction() as conn:
        assert statuses(conn, entry) == ["notified"]


def test_a_link_to_a_booking_opens_no_entry(client: FlaskClient, config: Config) -> None:
    ((entry, _path),) = queue(config, 1)

    assert client.get(f"/manage/{links.sign(config, 'booking', entry.id)}", headers=HTML).status_code == 404
