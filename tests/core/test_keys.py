"""Whose key it is, and console passwords."""

from __future__ import annotations

import pytest

from bridge.core import keys, ops_users
from bridge.errors import InvalidData, KeyNotFound


def test_a_key_is_known_by_its_secret_until_it_is_revoked(conn, monkeypatch):
    monkeypatch.setattr(keys, "_BELIEVED_SECONDS", 0)
    key, secret = keys.create_key(conn, name="shop", scopes=["system"])

    assert keys.identify(secret, bootstrap="").id == key.id
    assert keys.identify(secret + "x", bootstrap="") is None
    keys.revoke_key(conn, key.id)
    assert keys.identify(secret, bootstrap="") is None
    assert [row.revoked_at is not None for row in keys.list_keys(conn) if row.id == key.id] == [True]


def test_the_secret_itself_is_nowhere_in_the_database(conn):
    _key, secret = keys.create_key(conn, name="shop", scopes=["ops"])

    rows = conn.execute("SELECT api_key::text AS text FROM api_key").fetchall()

    assert not [row for row in rows if secret[10:] in row["text"]]


def test_scopes_and_ids_must_exist(conn):
    with pytest.raises(InvalidData, match="wizard"):
        keys.create_key(conn, name="x", scopes=["wizard"])
    with pytest.raises(InvalidData):
        keys.create_key(conn, name="x", scopes=[])
    with pytest.raises(KeyNotFound):
        keys.revoke_key(conn, "key_none")


def test_a_console_password_is_checked_and_changed(conn):
    ops_users.set_password(conn, "night shift", "correct horse battery")

    assert ops_users.check(conn, "night shift", "correct horse battery")
    assert not ops_users.check(conn, "night shift", "wrong horse")
    assert not ops_users.check(conn, "nobody", "correct horse battery")
    with pytest.raises(InvalidData, match="at least"):
        ops_users.set_password(conn, "night shift", "short")


@pytest.mark.parametrize("name", ["", " ", "ada "])
def test_an_account_whose_name_nobody_could_see_is_not_made(conn, name):
    with pytest.raises(InvalidData, match="needs a name"):
        ops_users.set_password(conn, name, "correct horse battery")


def test_a_password_hashed_with_older_parameters_is_hashed_anew(conn):
    conn.execute(
        "INSERT INTO ops_user (name, password_hash) VALUES ('old', %s)",
        ["$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQxMjM0$" + _old_hash()],
    )

    assert ops_users.check(conn, "old", "an old password")
    kept = conn.execute("SELECT password_hash FROM ops_user WHERE name = 'old'").fetchone()["password_hash"]
    assert "m=8," not in kept


def _old_hash():
    from argon2.low_level import Type, hash_secret

    encoded = hash_secret(
        b"an old password", b"somesalt1234", time_cost=1, memory_cost=8, parallelism=1, hash_len=32, type=Type.ID
    )
    return encoded.decode().rpartition("$")[2]
