"""Console accounts: made, checked, and given another password."""

from __future__ import annotations

import hashlib
import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from bridge.db import Connection
from bridge.errors import InvalidData

MIN_PASSWORD_LENGTH = 12  # Long enough that throttled guessing is hopeless.

_hasher = PasswordHasher()  # The library's parameters are RFC 9106's for a server with little memory to spare.


def ensure_first(conn: Connection, name: str, password: str) -> bool:
    """Make the first account, unless there is one already or no password is given; whether it was made."""
    if not password or conn.execute("SELECT FROM ops_user LIMIT 1").fetchone() is not None:
        return False
    made = conn.execute(
        "INSERT INTO ops_user (name, password_hash) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        [name, _hasher.hash(password)],
    )
    return made.rowcount > 0


def check(conn: Connection, name: str, password: str) -> bool:
    """Whether this is the account's password. Takes as long for a name that nobody has."""
    row = conn.execute("SELECT password_hash FROM ops_user WHERE name = %s", [name]).fetchone()
    is_right = _verify(row["password_hash"] if row else _nobodys_hash(), password)
    if row is None or not is_right:
        return False
    if _hasher.check_needs_rehash(row["password_hash"]):
        conn.execute("UPDATE ops_user SET password_hash = %s WHERE name = %s", [_hasher.hash(password), name])
    conn.execute("UPDATE ops_user SET last_login_at = clock_timestamp() WHERE name = %s", [name])
    return True


def set_password(conn: Connection, name: str, password: str) -> None:
    """Give an account this password; make it if there is none. Ends its sessions. Raises InvalidData."""
    if not name or name != name.strip():
        raise InvalidData("An account needs a name, without blanks around it.")
    if len(password) < MIN_PASSWORD_LENGTH:
        raise InvalidData(f"A password has at least {MIN_PASSWORD_LENGTH} characters.")
    conn.execute(
        "INSERT INTO ops_user (name, password_hash) VALUES (%s, %s)"
        " ON CONFLICT (name) DO UPDATE SET password_hash = excluded.password_hash",
        [name, _hasher.hash(password)],
    )


def find_mark(conn: Connection, name: str) -> str | None:
    """What changes with the account's password, so that a session can be tied to it; None when there is no account."""
    row = conn.execute("SELECT password_hash FROM ops_user WHERE name = %s", [name]).fetchone()
    return hashlib.sha256(row["password_hash"].encode()).hexdigest()[:32] if row else None


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerifyMismatchError, VerificationError, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    return _hasher.hash(secrets.token_urlsafe(32))
