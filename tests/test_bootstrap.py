"""The first command on a fresh machine, and the lock files it installs from."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app import bootstrap

PROJECT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "tests/requirements.lock")
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    found = PINNED.findall((PROJECT / lock).read_text(encoding="utf-8"))
    return {canonicalize_name(name): version for name, version in found}


def declared(group: str | None = None) -> list[Requirement]:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    written = project["optional-dependencies"][group] if group else project["dependencies"]
    return [Requirement(text) for text in written]


def test_the_bootstrap_needs_the_standard_library_alone() -> None:
    subprocess.run([sys.executable, "-S", "-c", "import app.bootstrap"], cwd=PROJECT, check=True)


@pytest.mark.parametrize("file", ["app/__init__.py", "app/__main__.py", "app/bootstrap.py", "tests/__main__.py"])
def test_older_pythons_can_read_what_tells_them_that_they_are_too_old(file: str) -> None:
    ast.parse((PROJECT / file).read_text(encoding="utf-8"), feature_version=(3, 8))


def test_an_older_python_is_told_which_one_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "NEEDED", (4, 0))
    with pytest.raises(SystemExit, match=r"needs Python 4\.0 or newer"):
        bootstrap.prepare("requirements.lock")


def test_a_python_without_ensurepip_is_told_which_package_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setattr(bootstrap, "PROJECT", tmp_path)
    (tmp_path / "requirements.lock").touch()
    with pytest.raises(SystemExit, match="apt install python3-venv"):
        bootstrap.prepare("requirements.lock")
    assert not (tmp_path / ".venv").exists()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without packages or a way to download any, and no environment in use."""
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setattr(bootstrap, "PROJECT", tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    (tmp_path / "requirements.lock").write_text("# nothing\n", encoding="utf-8")
    return tmp_path


def test_an_environment_is_made_once_and_packages_follow_their_lock(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    python = bootstrap.prepare("requirements.lock")
    assert python == project / ".venv" / "bin" / "python"
    assert "Making a virtual environment" in capfd.readouterr().err

    assert bootstrap.prepare("requirements.lock") == python
    assert capfd.readouterr().err == ""

    (project / "requirements.lock").write_text("# still nothing\n", encoding="utf-8")
    bootstrap.prepare("requirements.lock")
    told = capfd.readouterr().err
    assert "Installing" in told
    assert "Making" not in told

    unknown = f"paceline-no-such-package==1 --hash=sha256:{'0' * 64}\n"
    (project / "requirements.lock").write_text(unknown, encoding="utf-8")
    with pytest.raises(SystemExit, match="pip says above why"):
        bootstrap.prepare("requirements.lock")


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_with_hashes_and_no_server_is_named(lock: str) -> None:
    text = (PROJECT / lock).read_text(encoding="utf-8")
    packages = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in package for package in packages)
    assert "://" not in text
    assert not re.search(r"^--", text, flags=re.MULTILINE)


@pytest.mark.parametrize(("lock", "group"), [(LOCKS[0], None), (LOCKS[1], None), (LOCKS[1], "dev")])
def test_the_locks_hold_what_the_project_declares(lock: str, group: str | None) -> None:
    locked = pins(lock)
    missed = [str(wanted) for wanted in declared(group) if locked.get(canonicalize_name(wanted.name)) is None]
    assert missed == []
    assert [
        str(wanted) for wanted in declared(group) if locked[canonicalize_name(wanted.name)] not in wanted.specifier
    ] == []


def test_the_tests_run_on_the_versions_that_the_service_runs_on() -> None:
    assert pins("requirements.lock").items() <= pins("tests/requirements.lock").items()
