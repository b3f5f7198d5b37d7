"""The commands: start everything or one process of it, migrate, audit, manage keys."""

from __future__ import annotations

import getpass
import sys
from contextlib import suppress
from typing import Any, BinaryIO

import click
import orjson
import requests
from psycopg.errors import UndefinedColumn, UndefinedFunction, UndefinedTable

from bridge import db
from bridge.cli_database import with_database as _with_database
from bridge.cli_webhooks import webhooks_group
from bridge.clients import webhooks
from bridge.config import Config
from bridge.core import audits, keys, ops_users, repairs
from bridge.core.audits import Finding
from bridge.errors import BridgeError, Unavailable
from bridge.rules.findings import explain

_TRIES = 5


class _Commands(click.Group):
    """A group whose expected failures are one line, not a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BridgeError as error:
            raise click.ClickException(error.message) from error
        except (UndefinedTable, UndefinedColumn, UndefinedFunction) as error:
            lacks = error.diag.message_primary
            raise click.ClickException(
                f"The database is not of this version ({lacks}): run `python -m bridge migrate`."
            ) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The booking bridge: between a commerce platform and the time a business sells."""


@main.command()
def up() -> None:
    """Start everything: embedded servers where none are named, migrations, web, relay, worker, sender, beat."""
    from bridge import up as starting  # noqa: PLC0415  # only this command needs the embedded servers

    sys.exit(starting.run(Config.from_env()))


@main.command()
def web() -> None:
    """Serve HTTP."""
    from bridge import serving  # noqa: PLC0415  # only this command needs the server

    config = Config.from_env()
    config.require("database_url")
    serving.run(config)


@main.command()
def relay() -> None:
    """Hand due events to the broker."""
    from tasks import relay as process  # noqa: PLC0415  # bridge itself knows no broker

    process.run(_process_config())


@main.command()
def worker() -> None:
    """Apply events and carry out maintenance."""
    from tasks import worker as process  # noqa: PLC0415  # bridge itself knows no Celery

    process.run(_process_config())


@main.command()
def sender() -> None:
    """Deliver webhooks to those who subscribed."""
    from tasks import sender as process  # noqa: PLC0415  # bridge itself knows no Celery

    process.run(_process_config())


@main.command()
def beat() -> None:
    """Ask for maintenance at its times."""
    from tasks import beat as process  # noqa: PLC0415  # bridge itself knows no Celery

    process.run(_process_config())


def _process_config() -> Config:
    """The settings of a process. Without an address libpq would take whatever database is near."""
    config = Config.from_env()
    config.require("database_url", "broker_url")
    return config


@main.command()
def config() -> None:
    """Print every setting, its value (secrets masked) and where it came from."""
    rows = Config.from_env().describe()
    width = max(len(name) for name, _value, _source in rows)
    for name, value, source in rows:
        click.echo(f"{name:<{width}}  {source:<11}  {value}")


@main.command()
@_with_database
def migrate(config: Config) -> None:
    """Bring the database to this version. Safe beside running processes, and to repeat."""
    applied = db.migrate(config.database_url)
    for name in applied:
        click.echo(f"applied {name}")
    click.echo(f"{len(applied)} applied; the database is up to date.")
    with db.transaction() as conn:
        if ops_users.ensure_first(conn, config.ops_user, config.ops_password):
            click.echo(f"made the console account {config.ops_user}.")


@main.command()
@click.option("--repair", is_flag=True, help="Put right what can be put right safely. Safe beside sales.")
@_with_database
def audit(_config: Config, repair: bool) -> None:
    """Check that the ledger adds up, and explain what does not. Exit code 1 when something is left."""
    findings = _repair(_audit()) if repair else _audit()
    for finding in findings:
        meaning = explain(finding)
        click.echo("  ".join(f"{name}={value}" for name, value in finding.items()))
        click.echo(f"    {meaning.what}")
        if not repair:
            click.echo(f"    --repair {meaning.repair or 'leaves it to people'}.")
        click.echo(f"    {meaning.person}")
    click.echo(f"{len(findings)} findings." if findings else "The ledger adds up: 0 findings.")
    sys.exit(1 if findings else 0)


def _audit() -> list[Finding]:
    with db.transaction() as conn:
        return audits.audit(conn)


def _repair(findings: list[Finding]) -> list[Finding]:
    """Repair each finding once, and whatever comes to light by that; what is left."""
    tried = set()
    while new := [finding for finding in findings if audits.identify(finding) not in tried]:
        for finding in new:
            tried.add(audits.identify(finding))
            click.echo(f"{_repair_one(finding)}: {explain(finding).what}")
        findings = _audit()
    return findings


def _repair_one(finding: Finding) -> str:
    for _ in range(_TRIES):
        # Somebody who sells just there keeps the lock for milliseconds.
        with suppress(Unavailable), db.transaction() as conn:
            return "repaired" if repairs.repair(conn, finding, actor=_person()) else "left"
    return "left, for the database was busy"


def _person() -> str:
    """Who sits at this terminal."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # A container's user may have no name.
        return "cli"


@main.command()
@_with_database
def demo(config: Config) -> None:
    """Load the demo catalogue: three tours, a vehicle, a guide, a barber. Does nothing the second time."""
    from bridge import demo as catalogue  # noqa: PLC0415  # only for this command

    loaded = catalogue.load(config.database_url)
    click.echo("The demo catalogue is loaded." if loaded else "The demo catalogue is there already.")


@main.command()
@click.argument("captured", type=click.File("rb"))
@click.option("--order", "order_id", help="Make the event about this order.")
@click.option(
    "--hold", "hold_ids", multiple=True, help="Have the order's first line name this hold, and drop its others. Repeat."
)
@click.option("--number", "booking_number", help="Have the order name this booking number.")
@click.option("--quantity", type=click.IntRange(min=1), help="The quantity of each line that names a hold.")
def send(
    captured: BinaryIO,
    order_id: str | None,
    hold_ids: tuple[str, ...],
    booking_number: str | None,
    quantity: int | None,
) -> None:
    """Sign a captured event as the platform would, and post it to the running bridge."""
    config = Config.from_env()
    config.require("webhook_secrets")
    body = webhooks.retarget(
        _read_event(captured),
        order_id=order_id,
        hold_ids=hold_ids,
        booking_number=booking_number,
        quantity=quantity,
    )
    address = f"http://{config.host}:{config.port}"
    try:
        answer = webhooks.send(f"{address}/webhooks/medusa", config.webhook_secrets[0], body)
    except requests.RequestException as error:
        # What the library says of it is long, and a refused connection is what it nearly always is.
        raise click.ClickException(
            f"The bridge does not answer at {address}: set HOST and PORT as it has them."
        ) from error
    click.echo(f"{answer.status_code} {answer.text}")
    sys.exit(0 if answer.ok else 1)


def _read_event(captured: BinaryIO) -> dict[str, Any]:
    with suppress(orjson.JSONDecodeError):
        event = orjson.loads(captured.read())
        if isinstance(event, dict):
            return event
    raise click.ClickException(f"{captured.name} is not an event: it must be a JSON object.")


@main.command()
@click.argument("name")
@click.password_option(help="Asked for when not given.")
@_with_database
def password(_config: Config, name: str, password: str) -> None:
    """Give the console account NAME a password; make the account if there is none. Ends its sessions."""
    with db.transaction() as conn:
        ops_users.set_password(conn, name, password)
    click.echo(f"{name} can sign in with the new password.")


main.add_command(webhooks_group)


@main.group("keys")
def keys_group() -> None:
    """API keys: create, list, revoke."""


@keys_group.command("create")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, type=click.Choice(keys.SCOPES), help="May be repeated."
)
@_with_database
def create_key(_config: Config, name: str, scopes: tuple[str, ...]) -> None:
    """Make a key called NAME. It is shown once."""
    with db.transaction() as conn:
        key, secret = keys.create_key(conn, name=name, scopes=scopes)
    click.echo(f"{secret}\n", nl=False)
    click.echo(f"{key.id} ({name}): {', '.join(key.scopes)}. It is kept as a hash only: note it now.", err=True)


@keys_group.command("list")
@_with_database
def list_keys(_config: Config) -> None:
    """List keys, with when each was last used."""
    with db.transaction() as conn:
        rows = keys.list_keys(conn)
    for key in rows:
        state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M} UTC" if key.revoked_at else "live"
        used = f"{key.last_used_at:%Y-%m-%d %H:%M} UTC" if key.last_used_at else "never"
        click.echo(
            f"{key.id}  {key.prefix}…  {','.join(key.scopes):<18}  {state:<28}  last used {used:<20}  {key.name}"
        )
    if not rows:
        click.echo("No keys yet: make one with `python -m bridge keys create NAME --scope admin`.")


@keys_group.command("revoke")
@click.argument("key_id")
@_with_database
def revoke_key(_config: Config, key_id: str) -> None:
    """Stop a key from working, within seconds."""
    with db.transaction() as conn:
        keys.revoke_key(conn, key_id)
    click.echo(f"{key_id} is revoked.")
