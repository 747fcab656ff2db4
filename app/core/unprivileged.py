"""The operating system's side of a server that refuses to run as root."""

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
"""What programs of the server are given: nothing of ours (PGDATA, LD_PRELOAD, passwords) leaks into them."""

CANDIDATES = ("postgres", "nobody", "daemon")
SYSTEM_STATE = Path("/var/lib")


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL cannot be had here; the message says what to do."""


@dataclass(frozen=True)
class OsUser:
    """Whom the server runs as; without ids it is the user of this process."""

    name: str
    uid: int | None = None
    gid: int | None = None

    @property
    def groups(self) -> list[int] | None:
        """Supplementary groups to set: none, once root gives its rights away."""
        return None if self.uid is None else []

    def own(self, path: Path) -> None:
        """Give a file or directory to this user."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program to its end as this user, with nothing to read and its output captured."""
        return subprocess.run(  # noqa: S603
            command,
            user=self.uid,
            group=self.gid,
            extra_groups=self.groups,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            umask=0o077,
            env=ENVIRONMENT,
        )

    def succeeds(self, *command: str | Path) -> bool:
        """Whether a program can be run by this user and ends with 0."""
        try:
            return self.run(*command).returncode == 0
        except OSError:
            return False


def server_user() -> OsUser:
    """This process's own user, or an unprivileged one if that is root."""
    if os.geteuid() != 0:
        return _own_user()
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return OsUser(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError(
        f"PostgreSQL does not run as root, and this system has none of the users {', '.join(CANDIDATES)}. "
        "Add one (useradd --system postgres), run as another user, or name a server by PACELINE_DATABASE_URL."
    )


def reachable_directory(preferred: Path, user: OsUser) -> Path:
    """A directory of ours that `user` can enter: `preferred`, or one under /var/lib that `preferred` points to.

    Below a private home (`/root`, mode 700) no other user gets anywhere; opening the home is not ours to do.
    Who deletes `preferred` has a fresh start either way.
    """
    preferred.mkdir(parents=True, exist_ok=True)
    if user.uid is None:
        return preferred
    if preferred.stat().st_uid == os.geteuid():
        _let_pass(preferred)
    if user.succeeds("/bin/sh", "-c", 'cd "$1"', "sh", preferred):
        return preferred
    pointer = preferred / "location"
    if not pointer.exists():
        _point_to_new_directory(pointer, user)
    return Path(pointer.read_text(encoding="utf-8"))


def private_copy(package: Path, copy: Path) -> Path:
    """A copy of the wheel's programs that every user can run; `copy` is made once."""
    if not copy.exists():
        unfinished = Path(tempfile.mkdtemp(prefix="copy-", dir=copy.parent))
        heavy = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig", "__pycache__")
        shutil.copytree(package, unfinished / package.name, symlinks=True, ignore=heavy)
        libraries = package.with_name(f"{package.name}.libs")  # the programs look for it beside their package
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        for path in (unfinished, *unfinished.rglob("*")):
            _open_for_all(path)
        unfinished.rename(copy)
    return copy / package.name


def _own_user() -> OsUser:
    try:
        return OsUser(pwd.getpwuid(os.geteuid()).pw_name)
    except KeyError:
        raise EmbeddedPostgresError(
            f"User id {os.geteuid()} has no entry in the passwd database, and PostgreSQL's initdb needs one. "
            "Add the user to the image (useradd), or name a server by PACELINE_DATABASE_URL."
        ) from None


def _let_pass(directory: Path) -> None:
    directory.chmod(stat.S_IMODE(directory.stat().st_mode) | 0o011)


def _point_to_new_directory(pointer: Path, user: OsUser) -> None:
    """Create a directory that `user` can enter and write its path to `pointer`; the first of several wins."""
    try:
        directory = Path(tempfile.mkdtemp(prefix="paceline-", dir=SYSTEM_STATE))
    except OSError as error:
        raise EmbeddedPostgresError(
            f"PostgreSQL runs as the user {user.name}, who can enter neither {pointer.parent} nor a directory of ours "
            f"in {SYSTEM_STATE} ({error.strerror}). Set PACELINE_DATA_DIR to a directory that this user can reach."
        ) from error
    _let_pass(directory)
    draft = pointer.with_name(f"{pointer.name}.{directory.name}")
    draft.write_text(str(directory), encoding="utf-8")
    try:
        pointer.hardlink_to(draft)
    except FileExistsError:
        directory.rmdir()
    finally:
        draft.unlink()


def _open_for_all(path: Path) -> None:
    if not path.is_symlink():
        executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if executable else 0o644)
