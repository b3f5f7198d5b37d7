"""Mail owed to people: written in the transaction of its cause, sent later, readable in ops either way."""

from __future__ import annotations

from bridge import outbox
from bridge.db import Connection
from bridge.letters import Letter


def owe_mail(
    conn: Connection,
    letter: Letter,
    *,
    to: str,
    dedupe_key: str,
    order_id: str | None = None,
    ics: str | None = None,
) -> None:
    """Owe `letter` to the address `to`, once for each `dedupe_key`. `ics` is a calendar file to go with it.

    Without SMTP_URL it is kept, and read in ops.
    """
    outbox.add_work(
        conn,
        type="mail",
        payload={"to": to, "subject": letter.subject, "text": letter.text, "html": letter.html, "ics": ics},
        dedupe_key=f"mail:{dedupe_key}",
        order_id=order_id,
    )
