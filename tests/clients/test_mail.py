"""Mail is handed over, put off or refused, and the three are told apart."""

from __future__ import annotations

import socket
import threading

import pytest

from bridge.clients.mail import MailRefused, MailServer, MailUnavailable, make_message
from bridge.errors import InvalidSetting


class FakeSmtp:
    """A mail server that answers as told, and keeps what it took."""

    def __init__(self, **answers):
        self.answers = answers
        self.lines = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"smtp://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            conn, _address = self.listener.accept()
            self._talk(conn)

    def _talk(self, conn):
        with conn, conn.makefile("rwb") as stream:
            self._say(stream, self.answers.get("hello", "220 hello"))
            in_data = False
            for raw in stream:
                line = raw.decode().rstrip("\r\n")
                self.lines.append(line)
                if in_data and line != ".":
                    continue
                verb = "end" if in_data else line.split(" ")[0].split(":")[0].lower()
                in_data = verb == "data"
                default = {"data": "354 go on", "quit": "221 bye", "ehlo": "250-me\r\n250 AUTH PLAIN"}.get(
                    verb, "250 ok"
                )
                self._say(stream, self.answers.get(verb, default))

    def _say(self, stream, text):
        stream.write(text.encode() + b"\r\n")
        stream.flush()


def message(**fields):
    values = {
        "sender": "Tours <bookings@example.test>",
        "to": "ada@example.test",
        "subject": "Dépôt",
        "text": "Bonjour\n",
        "message_id": "evt_1",
        **fields,
    }
    return make_message(**values)


def send(server, **fields):
    MailServer.from_url(server.url).send(message(**fields))


def test_a_mail_is_handed_over_with_an_id_of_its_own():
    server = FakeSmtp()

    send(server, html="<p>Bonjour</p>")

    text = "\n".join(server.lines)
    assert "mail FROM:<bookings@example.test>" in text
    assert "rcpt TO:<ada@example.test>" in text
    assert "Message-ID: <evt_1@example.test>" in text
    assert "multipart/alternative" in text


def test_credentials_are_sent_to_a_server_on_this_machine():
    server = FakeSmtp(auth="235 ok")

    MailServer.from_url(server.url.replace("//", "//us%40er:pa%3Ass@")).send(message())

    assert any(line.startswith("AUTH PLAIN") for line in server.lines)


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"hello": "421 busy"}, MailUnavailable),
        ({"rcpt": "450 mailbox busy"}, MailUnavailable),
        ({"end": "452 full"}, MailUnavailable),
        ({"rcpt": "550 no such user"}, MailRefused),
        ({"mail": "553 no"}, MailRefused),
        ({"end": "554 spam"}, MailRefused),
    ],
)
def test_later_and_never_are_told_apart(answers, error):
    with pytest.raises(error):
        send(FakeSmtp(**answers))


def test_a_server_that_is_away_is_tried_later():
    with pytest.raises(MailUnavailable):
        MailServer.from_url("smtp://127.0.0.1:1").send(message())


def test_a_password_never_goes_out_in_the_clear(monkeypatch):
    server = FakeSmtp()
    monkeypatch.setattr("bridge.clients.mail.LOOPBACK", frozenset())

    with pytest.raises(MailRefused):
        MailServer.from_url(server.url.replace("//", "//user:secret@")).send(message())

    assert not any("AUTH" in line for line in server.lines)


def test_nobody_adds_headers_of_their_own():
    for fields in ({"to": "a@b\r\nBcc: c@d"}, {"subject": "a\nBcc: c@d"}):
        with pytest.raises(MailRefused):
            message(**fields)


@pytest.mark.parametrize("url", ["http://mail.test", "smtp://", "mail.test:25"])
def test_a_url_that_names_no_mail_server_is_refused(url):
    with pytest.raises(InvalidSetting):
        MailServer.from_url(url)
