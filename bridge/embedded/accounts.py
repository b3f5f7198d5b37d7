"""Who an embedded server runs as, and where its programs are."""

from __future__ import annotations

import importlib.util
import logging
import os
import pwd
import signal
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from bridge.errors import BridgeError
from bridge.supervisor import die_with_parent

UNPRIVILEGED_USER = "pgserver"  # Who the servers are when we are root, as PostgreSQL refuses to be; made when missing.

log = logging.getLogger(__name__)


class CannotStart(BridgeError):
    """An embedded server cannot be started."""

    code = "cannot_start"


class Account(NamedTuple):
    """A user and a group of the system."""

    uid: int
    gid: int


def find_program(package: str, pattern: str, *, instead: str) -> Path:
    """A program inside a wheel. The package is not imported: we need none of its code, and it may warn."""
    for path in _folders_of(package):
        for program in path.glob(pattern):
            return program
    raise CannotStart(f"{package} is not installed, or has nothing for this platform: set {instead}")


def _folders_of(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    # Wheels put shared libraries beside the package, into `<package>.libs`.
    return sorted(Path(spec.origin).parents[1].glob(f"{package}*")) if spec and spec.origin else []


def account_for(folder: Path, package: str) -> Account | None:
    """Who a server should be: ourselves (None), or as root the owner of its files, else UNPRIVILEGED_USER."""
    if os.geteuid() != 0:
        return None
    owner = folder.stat() if folder.exists() else None
    account = Account(owner.st_uid, owner.st_gid) if owner and owner.st_uid else _unprivileged()
    _let_in(account, folder.parent)
    for top in _folders_of(package):
        _let_in(account, top.parent)
        # With a umask of 077 at installation only root could read the programs.
        for path in (top, *top.rglob("*")):
            _add_mode(path, path.stat().st_mode >> 6 & 0o5)
    return account


def _unprivileged() -> Account:
    try:
        user = pwd.getpwnam(UNPRIVILEGED_USER)
    except KeyError:
        try:
            subprocess.run(["useradd", "--system", UNPRIVILEGED_USER], check=True, capture_output=True)
        except (OSError, subprocess.SubprocessError) as error:
            raise CannotStart(
                f"PostgreSQL refuses to run as root and `useradd {UNPRIVILEGED_USER}` failed: "
                "add that user, start as another user, or set DATABASE_URL and BROKER_URL"
            ) from error
        user = pwd.getpwnam(UNPRIVILEGED_USER)
    return Account(user.pw_uid, user.pw_gid)


def _let_in(account: Account, folder: Path) -> None:
    for step in (folder, *folder.parents):
        if step.stat().st_uid != account.uid and _add_mode(step, 0o001):
            log.warning("made %s passable for other users (chmod o+x): as root the servers run as another user", step)


def _add_mode(path: Path, bits: int) -> bool:
    mode = path.stat().st_mode
    if missing := bits & ~mode:
        path.chmod(mode | missing)
    return bool(missing)


def give(folder: Path, account: Account | None) -> None:
    if account:
        os.chown(folder, *account)


def child_of(account: Account | None) -> dict[str, Any]:
    """How to start a process that a Ctrl-C in our terminal does not reach, and that does not outlive us."""
    options: dict[str, Any] = {
        "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
        "start_new_session": True,
        "preexec_fn": die_with_parent(signal.SIGINT),
    }
    return options | ({"user": account.uid, "group": account.gid, "extra_groups": []} if account else {})
