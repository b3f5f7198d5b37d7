"""Keeps the processes of one host running, and stops them all together.

Why our own: honcho stops everything as soon as one process exits and cannot start one again, and a systemd or a
Docker is what a newcomer on a laptop does not have.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TextIO

FIRST_DELAY_SECONDS = 1.0  # Before the first restart; doubles with each one that follows.
LONGEST_DELAY_SECONDS = 30.0
STEADY_SECONDS = 60.0  # Up for this long: the next death counts as the first again.
TICK_SECONDS = 0.1
ECHO_SECONDS = 0.5  # Within this a second SIGINT is the first one again: a terminal and a wrapper may both send it.
OWN_NAME = "bridge"  # Before what the supervisor itself says.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
COLOURS = (36, 33, 32, 35, 34, 31)  # ANSI foreground colours, one per process.

# Loaded before any fork: between fork and exec a child must not import or allocate much.
_prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def die_with_parent(with_signal: signal.Signals) -> Callable[[], None]:
    """A preexec_fn: should the starting thread vanish, even by kill -9, the child gets `with_signal` (Linux only)."""
    parent = os.getpid()

    def arm() -> None:
        if _prctl is None:
            return
        _prctl(_PR_SET_PDEATHSIG, int(with_signal))
        # The parent may have died before the line above; no signal would ever come.
        if os.getppid() != parent:
            os._exit(1)

    return arm


@dataclass(slots=True)
class _Child:
    name: str
    argv: Sequence[str]
    process: subprocess.Popen[str] | None = None
    group: int | None = None  # Its process group; outlives the process while grandchildren live.
    reader: threading.Thread | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    kill_at: float | None = None  # Set while it is being restarted: SIGKILL when this passes.
    delay: float = FIRST_DELAY_SECONDS


class Supervisor:
    """Runs named commands, restarts each that dies, shows their output line by line.

    `check` is called every `check_seconds` and names processes to restart: those that live but no longer work.
    One that was started less than `settle_seconds` ago is left alone.
    """

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        *,
        env: Mapping[str, str],
        check: Callable[[], Collection[str]] | None = None,
        output: TextIO | None = None,
        stop_seconds: float = 20.0,
        check_seconds: float = 5.0,
        settle_seconds: float = 30.0,
    ) -> None:
        # Output is read through pipes, into which Python would otherwise write whole blocks.
        self._env = {**env, "PYTHONUNBUFFERED": "1"}
        self._children = {name: _Child(name, argv) for name, argv in commands.items()}
        self._check = check
        self._output = output or sys.stdout
        self._stop_seconds = stop_seconds
        self._check_seconds = check_seconds
        self._settle_seconds = settle_seconds
        self._width = max(map(len, [*commands, OWN_NAME]))
        self._coloured = self._output.isatty() and not env.get("NO_COLOR")
        self._printing = threading.Lock()
        self._restarts: set[str] = set()
        self._stopping = False
        self._asked_at = 0.0
        self._hurried = False  # A second Ctrl-C: no more patience.
        self._exit_code = 0
        self._stopped = threading.Event()

    def run(self) -> int:
        """Run until a signal or `stop`. Returns the exit code; no process is left when it does.

        Call it in the main thread: signals arrive there, and children live as long as the thread that started
        them (see die_with_parent).
        """
        with _signals_caught(self._on_signal):
            _adopt_orphans()
            if self._check:
                threading.Thread(target=self._check_regularly, args=[self._check], daemon=True).start()
            try:
                while not self._stopping:
                    for child in self._children.values():
                        self._tend(child)
                    time.sleep(TICK_SECONDS)
            finally:
                self._stop_all()
                self._stopped.set()
        return self._exit_code

    def stop(self, exit_code: int = 0) -> None:
        """Have `run` stop everything and return `exit_code`. From any thread."""
        self._exit_code = exit_code
        self._stopping = True

    def restart(self, name: str) -> None:
        """Have `run` stop one process and start it again. From any thread; an unknown name is ignored."""
        self._restarts.add(name)

    def say(self, text: str, name: str = OWN_NAME) -> None:
        """Print `text`, each line behind its prefix, at once even into a pipe."""
        prefix = f"{name:<{self._width}} | "
        if self._coloured:
            prefix = f"\033[{self._colour(name)}m{prefix}\033[0m"
        with self._printing:
            try:
                self._output.write("".join(f"{prefix}{line}\n" for line in text.splitlines() or [""]))
                self._output.flush()
            except OSError:
                # Whoever read us is gone (`… | head`, a closed terminal): do not run on unseen.
                self._stopping = True

    def _on_signal(self, number: int, _frame: object) -> None:
        # Flags only: a handler may interrupt anything, also someone who holds a lock.
        now = time.monotonic()
        if not self._stopping:
            self._stopping, self._asked_at = True, now
        elif number == signal.SIGINT and now - self._asked_at > ECHO_SECONDS:
            self._hurried = True

    def _tend(self, child: _Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.start_at:
                self._start(child)
        elif (code := child.process.poll()) is not None:
            self._bury(child, code)
        elif child.kill_at is not None:
            if now >= child.kill_at:
                _signal_group(child, signal.SIGKILL)
        elif child.name in self._restarts:
            self.say(f"restarting {child.name}")
            child.kill_at = now + self._stop_seconds
            _ask_to_stop(child)

    def _start(self, child: _Child) -> None:
        # What a dead process left behind may still hold its port or its work.
        _signal_group(child, signal.SIGKILL)
        child.process = subprocess.Popen(
            child.argv,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509  # one system call, safe between fork and exec
        )
        assert child.process.stdout is not None  # It is a pipe, see above.
        child.group = child.process.pid
        child.started_at = time.monotonic()
        child.kill_at = None
        self._restarts.discard(child.name)
        child.reader = threading.Thread(target=self._show, args=[child.name, child.process.stdout], daemon=True)
        child.reader.start()

    def _bury(self, child: _Child, code: int) -> None:
        now = time.monotonic()
        _signal_group(child, signal.SIGTERM)
        if child.kill_at is not None:  # We asked for it.
            child.start_at = now
        else:
            if now - child.started_at >= STEADY_SECONDS:
                child.delay = FIRST_DELAY_SECONDS
            self.say(f"{child.name} {_describe_exit(code)}; starting it again in {child.delay:g} s")
            child.start_at = now + child.delay
            child.delay = min(child.delay * 2, LONGEST_DELAY_SECONDS)
        child.process = None

    def _stop_all(self) -> None:
        self.say("stopping; Ctrl-C again kills at once")
        children = list(self._children.values())
        for child in children:
            _ask_to_stop(child)
        deadline = time.monotonic() + self._stop_seconds
        while any(map(_is_alive, children)) and time.monotonic() < deadline and not self._hurried:
            time.sleep(TICK_SECONDS)
            for child in children:
                _stop_orphans(child)
        for child in filter(_is_alive, children):
            self.say(f"{child.name} did not stop; killing it")
            _signal_group(child, signal.SIGKILL)
        for child in children:
            while _is_alive(child):  # SIGKILL cannot be refused, only take a moment.
                time.sleep(TICK_SECONDS / 10)
            if child.reader:
                child.reader.join(timeout=1)  # So that its last words are seen.

    def _show(self, name: str, lines: IO[str]) -> None:
        for line in lines:
            self.say(line.rstrip("\n"), name)

    def _check_regularly(self, check: Callable[[], Collection[str]]) -> None:
        while not self._stopped.wait(self._check_seconds):
            try:
                stuck = [name for name in check() if self._is_settled(name)]
            except Exception as error:  # noqa: BLE001 - the watchdog must outlive whatever it looks at
                self.say(f"the check for stuck processes failed: {error}")
                continue
            for name in stuck:
                self.say(f"{name} runs but no longer reports that it works")
                self.restart(name)

    def _is_settled(self, name: str) -> bool:
        child = self._children.get(name)
        if child is None or child.process is None or child.kill_at is not None:
            return False
        return time.monotonic() - child.started_at >= self._settle_seconds

    def _colour(self, name: str) -> int:
        names = [OWN_NAME, *self._children]
        return COLOURS[names.index(name) % len(COLOURS)]


@contextmanager
def _signals_caught(handler: Callable[[int, object], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def _adopt_orphans() -> None:
    # Grandchildren whose parent dies become ours (Linux), so that _is_alive can reap them whatever runs as pid 1.
    if _prctl is not None:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _ask_to_stop(child: _Child) -> None:
    # Not its children too: Celery waits for the tasks at hand, which its children, told directly, would drop.
    if child.process is not None and child.process.poll() is None:
        child.process.terminate()


def _stop_orphans(child: _Child) -> None:
    if child.process is None or child.process.poll() is not None:
        _signal_group(child, signal.SIGTERM)


def _signal_group(child: _Child, number: signal.Signals) -> None:
    if _is_alive(child) and child.group is not None:
        with suppress(ProcessLookupError, PermissionError):  # Gone by now; macOS says the latter of zombies.
            os.killpg(child.group, number)


def _is_alive(child: _Child) -> bool:
    """Whether the process or anything of its group still runs."""
    if child.group is None:
        return False
    if child.process is not None and child.process.poll() is None:
        return True
    with suppress(ChildProcessError):
        while os.waitpid(-child.group, os.WNOHANG)[0]:
            pass
    try:
        os.killpg(child.group, 0)
    except (ProcessLookupError, PermissionError):
        child.group = None  # The system may use the number again.
        return False
    return True


def _describe_exit(code: int) -> str:
    if code >= 0:
        return f"exited with {code}"
    return f"was killed by {signal.Signals(-code).name}"
