"""What commands share that work on the database."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from bridge import db
from bridge.config import Config


def with_database(command: Callable[..., None]) -> Callable[..., None]:
    """A command that gets the settings first, and finds the database configured."""

    @wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        config = Config.from_env()
        if not config.database_url:
            raise click.ClickException(
                "No database: set DATABASE_URL, or start the embedded one with `python -m bridge up` first."
            )
        db.configure(config.database_url)
        command(config, *args, **kwargs)

    return wrapper
