"""The commands around webhooks: create, list, rotate, disable, enable, test, delete."""

from __future__ import annotations

import click

from bridge import db
from bridge.cli_database import with_database
from bridge.config import Config
from bridge.core import webhooks
from schemas.announcements import is_type


@click.group("webhooks")
def webhooks_group() -> None:
    """Webhooks: who is told of what happens here."""


@webhooks_group.command("create")
@click.argument("url")
@click.option(
    "--type", "types", multiple=True, default=("*",), help="What to tell: exact, 'booking.*', '*'. May be repeated."
)
@click.option("--description", help="For people.")
@with_database
def create_webhook(config: Config, url: str, types: tuple[str, ...], description: str | None) -> None:
    """Tell URL of what happens here. The secret that signs it is shown once."""
    if unknown := [name for name in types if not is_type(name)]:
        raise click.ClickException(f"Nothing is told under {', '.join(unknown)}: see `webhooks` in /openapi.json.")
    with db.transaction() as conn:
        made = webhooks.create_webhook(
            conn,
            url=url,
            types=types,
            description=description,
            actor="cli",
            allow_private=config.webhooks_allow_private,
        )
    click.echo(made.secret)
    click.echo(f"{made.webhook['id']} is told of {', '.join(types)}. Note the secret now.", err=True)


@webhooks_group.command("list")
@with_database
def list_webhooks(_config: Config) -> None:
    """List webhooks and how they fare."""
    with db.transaction() as conn:
        rows, count = webhooks.list_webhooks(conn, limit=1000)
    for row in rows:
        state = "enabled" if row["is_enabled"] else f"disabled: {row['disabled_reason']}"
        if row["is_enabled"] and row["failures"]:
            state = f"failing since {row['failing_since']:%Y-%m-%d %H:%M} UTC"
        counts = f"{row['waiting']} waiting, {row['failed']} failed"
        click.echo(f"{row['id']}  {state:<34}  {counts:<22}  {','.join(row['types'])}  {row['url']}")
    if not count:
        click.echo("No webhooks yet: make one with `python -m bridge webhooks create URL`.")


@webhooks_group.command("rotate")
@click.argument("webhook_id")
@with_database
def rotate_secret(_config: Config, webhook_id: str) -> None:
    """Give a webhook a new secret, shown once. The one before signs beside it for 24 hours."""
    with db.transaction() as conn:
        made = webhooks.rotate_secret(conn, webhook_id, actor="cli")
    click.echo(made.secret)


@webhooks_group.command("disable")
@click.argument("webhook_id")
@with_database
def disable_webhook(_config: Config, webhook_id: str) -> None:
    """Send a webhook nothing more."""
    with db.transaction() as conn:
        webhooks.disable_webhook(conn, webhook_id, reason="disabled by a person", actor="cli")
    click.echo(f"{webhook_id} is disabled.")


@webhooks_group.command("enable")
@click.argument("webhook_id")
@with_database
def enable_webhook(_config: Config, webhook_id: str) -> None:
    """Tell a webhook again of what happens from now on."""
    with db.transaction() as conn:
        webhooks.enable_webhook(conn, webhook_id, actor="cli")
    click.echo(f"{webhook_id} is enabled.")


@webhooks_group.command("test")
@click.argument("webhook_id")
@with_database
def test_webhook(_config: Config, webhook_id: str) -> None:
    """Send a webhook a test."""
    with db.transaction() as conn:
        delivery_id = webhooks.send_test(conn, webhook_id)
    click.echo(f"{delivery_id} is on its way; /ops/events/{delivery_id} shows how it goes.")


@webhooks_group.command("delete")
@click.argument("webhook_id")
@with_database
def delete_webhook(_config: Config, webhook_id: str) -> None:
    """Forget a webhook; what waits for it is discarded."""
    with db.transaction() as conn:
        webhooks.delete_webhook(conn, webhook_id, actor="cli")
    click.echo(f"{webhook_id} is deleted.")
