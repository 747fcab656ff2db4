"""From a checkout to a running program with Python alone: the environment, its packages, then the program.

Standard library only, and words that older Pythons can read as well: they are told which one is needed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import NoReturn

PROJECT = Path(__file__).resolve().parent.parent
NEEDED = (3, 11)


def run(lock: str, arguments: list[str]) -> NoReturn:
    """Become `python arguments…` in an environment with the packages of a lock file; returns never."""
    python = prepare(lock)
    os.chdir(PROJECT)
    os.execv(python, [str(python), *arguments])  # noqa: S606


def prepare(lock: str) -> Path:
    """The Python of the environment in use, or else of `.venv` beside the project, with the lock file's packages.

    They are installed when the lock file changed since the last time, each checked against its hash.
    """
    if sys.version_info < NEEDED:
        _give_up(f"Paceline needs Python {NEEDED[0]}.{NEEDED[1]} or newer; this is {sys.version.split()[0]}.")
    environment = _environment()
    python = environment / "bin" / "python"
    stamp = environment / f"paceline-{lock.replace('/', '-')}.installed"
    state = _state(PROJECT / lock)
    if not python.exists():
        _create(environment)
    elif stamp.exists() and stamp.read_text(encoding="ascii") == state:
        return python
    _install(environment, python, lock)
    stamp.write_text(state, encoding="ascii")
    return python


def _environment() -> Path:
    in_use = sys.prefix != sys.base_prefix
    return Path(sys.prefix) if in_use else PROJECT / ".venv"


def _state(lock: Path) -> str:
    """What the installed packages depend on: the locked versions and the Python they were built for."""
    return f"{hashlib.sha256(lock.read_bytes()).hexdigest()} {sys.implementation.cache_tag}"


def _create(environment: Path) -> None:
    if importlib.util.find_spec("ensurepip") is None:
        _give_up("This Python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv")
    _say(f"Making a virtual environment in {environment}")
    venv.EnvBuilder(clear=True, with_pip=True, symlinks=True).create(environment)


def _install(environment: Path, python: Path, lock: str) -> None:
    _say(f"Installing the packages of {lock} (once; about half a minute)")
    if not any(environment.glob("lib/python*/site-packages/pip")):  # an environment that another tool made
        _call(python, "-m", "ensurepip")
    pip = ("-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet", "--no-compile")
    if _call(python, *pip, "--require-hashes", "--requirement", str(PROJECT / lock)) != 0:
        _give_up("The packages were not installed; pip says above why. They are downloaded, so it needs a network.")
    # On all cores, which pip does not; and where PYTHONDONTWRITEBYTECODE is set, nothing else would ever do it:
    # every start would take three times as long.
    _call(python, "-m", "compileall", "-q", "-j", "0", str(environment / "lib"))


def _call(python: Path, *arguments: str) -> int:
    return subprocess.run([python, *arguments], check=False, stdin=subprocess.DEVNULL).returncode  # noqa: S603


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _give_up(why: str) -> NoReturn:
    raise SystemExit(f"paceline: {why}")
