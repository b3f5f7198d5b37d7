"""The secrets of an embedded bridge: made at the first start, kept, and shown once."""

from __future__ import annotations

import base64
import json
import os
import secrets
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from bridge.config import SECRETS_FILE, Config

SECRET_MAKERS: Mapping[str, Callable[[], str]] = {
    "webhook_secrets": lambda: "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
    "admin_api_key": lambda: "bk_" + secrets.token_urlsafe(32),
    "secret_key": lambda: secrets.token_urlsafe(32),
    "medusa_jwt_secret": lambda: secrets.token_urlsafe(32),
    "ops_password": lambda: secrets.token_urlsafe(12),
}


def ensure_secrets(config: Config) -> bool:
    """Make and keep the secrets that neither the environment nor SECRETS_FILE has. Whether any were made.

    Call it within `servers`, whose lock keeps two first starts apart.
    """
    kept = kept_secrets(config)
    wanted = [name for name in SECRET_MAKERS if not kept.get(name) and not _is_given(config, name)]
    if wanted:
        made = {name: SECRET_MAKERS[name]() for name in wanted}
        write_private(config.bridge_data_dir / SECRETS_FILE, kept | made)
    return bool(wanted)


def kept_secrets(config: Config) -> dict[str, str]:
    """What SECRETS_FILE holds, by name of setting."""
    with suppress(FileNotFoundError):
        return dict(json.loads((config.bridge_data_dir / SECRETS_FILE).read_text()))
    return {}


def _is_given(config: Config, name: str) -> bool:
    # What an earlier start kept does not count.
    return bool(getattr(config, name)) and config.sources.get(name) != "embedded"


def write_private(path: Path, content: Mapping[str, str]) -> None:
    """Replace the file in one step, readable by us alone."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
