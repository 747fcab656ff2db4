"""The embedded PostgreSQL: starts, restarts, ends and owners, with real processes."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from app.core import unprivileged
from app.core.embedded import UNSAFE_BUT_FAST, EmbeddedPostgres
from app.core.unprivileged import EmbeddedPostgresError, OsUser, server_user

PROJECT = Path(__file__).parents[2]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone can become another user")

OWNER = """
import os, sys, time
from pathlib import Path
from app.core.embedded import EmbeddedPostgres
if len(sys.argv) > 2:
    os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
server = EmbeddedPostgres(Path(sys.argv[1]), settings={"fsync": "off"})
print(server.start(), server.is_owner, flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory outside pytest's own, which is private and so out of reach of root's server."""
    made = Path(tempfile.mkdtemp(prefix="paceline-test-"))
    yield made
    shutil.rmtree(made)


def server_in(directory: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(directory, settings=UNSAFE_BUT_FAST)


def in_other_process(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    """A process that starts the server, says its URL and whether it owns it, and stops it when its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, str(directory), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )


def answer_of(process: subprocess.Popen[str]) -> tuple[str, bool]:
    assert process.stdout is not None
    url, is_owner = process.stdout.readline().split()
    return url, is_owner == "True"


def pid_in(directory: Path) -> int:
    return int((directory / "data" / "postmaster.pid").read_text().splitlines()[0])


def wait_until(happened: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def log_of(directory: Path) -> str:
    return (directory / "postgres.log").read_text()


async def ask(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_a_restart_keeps_data_port_and_password(directory: Path) -> None:
    with server_in(directory) as first:
        await ask(first.superuser_url, "CREATE TABLE kept AS SELECT 7 AS n")
    with server_in(directory) as second:
        assert second.superuser_url == first.superuser_url
        assert await ask(second.superuser_url, "SELECT n FROM kept") == 7
    assert "database system was shut down" in log_of(directory)


async def test_it_is_version_18_in_utc_with_the_settings_asked_for(directory: Path) -> None:
    with EmbeddedPostgres(directory, settings={"fsync": "off", "work_mem": "7MB"}) as server:
        shown = await ask(
            server.superuser_url,
            "SELECT string_agg(current_setting(s), ' ') FROM unnest(array["
            "'TimeZone', 'work_mem', 'fsync', 'listen_addresses', 'data_checksums', 'server_encoding']) s",
        )
        version = await ask(server.superuser_url, "SHOW server_version_num")
    assert shown == "UTC 7MB off 127.0.0.1 on UTF8"
    assert str(version).startswith("18")


async def test_a_wrong_password_is_refused(directory: Path) -> None:
    with server_in(directory) as server, pytest.raises(asyncpg.InvalidPasswordError):
        await ask(server.database_url("postgres", "guess", "postgres"), "SELECT 1")


def test_names_and_passwords_are_quoted_in_urls(directory: Path) -> None:
    server = EmbeddedPostgres(directory)
    server.port = 5
    assert server.database_url("a@b", "p/w:?", "d b") == "postgresql://a%40b:p%2Fw%3A%3F@127.0.0.1:5/d%20b"


def test_six_starts_at_once_share_one_server(directory: Path) -> None:
    processes = [in_other_process(directory) for _ in range(6)]
    answers = [answer_of(process) for process in processes]
    assert len({url for url, _ in answers}) == 1
    assert [is_owner for _, is_owner in answers].count(True) == 1
    for process in processes:
        process.communicate(timeout=30)
    assert log_of(directory).count("ready to accept connections") == 1


async def test_who_attaches_leaves_the_server_to_its_owner(directory: Path) -> None:
    with server_in(directory) as owner:
        with server_in(directory) as guest:
            assert (owner.is_owner, guest.is_owner) == (True, False)
            assert guest.superuser_url == owner.superuser_url
        assert await ask(owner.superuser_url, "SELECT 1") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start ends the server")
def test_the_server_shuts_down_cleanly_when_its_owner_is_killed(directory: Path) -> None:
    owner = in_other_process(directory)
    answer_of(owner)
    owner.kill()
    owner.communicate()
    wait_until(lambda: "database system is shut down" in log_of(directory))


async def test_a_start_right_after_the_owner_was_killed_waits_for_its_server_to_end(directory: Path) -> None:
    owner = in_other_process(directory)
    url, _ = answer_of(owner)
    await ask(url, "CREATE TABLE kept AS SELECT 7 AS n")
    owner.kill()
    with server_in(directory) as server:
        assert server.is_owner
        assert await ask(server.superuser_url, "SELECT n FROM kept") == 7
    owner.communicate()


async def test_what_was_committed_is_there_after_the_server_was_killed(directory: Path) -> None:
    owner = in_other_process(directory)
    url, _ = answer_of(owner)
    await ask(url, "CREATE TABLE kept AS SELECT 7 AS n")
    os.kill(pid_in(directory), signal.SIGKILL)
    owner.communicate(timeout=30)
    with server_in(directory) as server:
        assert await ask(server.superuser_url, "SELECT n FROM kept") == 7


async def test_a_pid_that_another_program_has_by_now_is_no_obstacle(directory: Path) -> None:
    with server_in(directory) as server:
        file = directory / "data" / "postmaster.pid"
        left_behind = file.read_text().splitlines()
    with subprocess.Popen(["sleep", "60"]) as bystander:  # noqa: ASYNC220
        file.write_text("\n".join([str(bystander.pid), *left_behind[1:], ""]))
        with server:
            assert await ask(server.superuser_url, "SELECT 1") == 1
        assert bystander.poll() is None
        bystander.kill()


async def test_a_stored_port_that_is_taken_is_given_up_for_another(directory: Path) -> None:
    with server_in(directory) as server:
        port = server.port
    async with await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", port):
        with server:
            assert server.port != port
            assert (directory / "port").read_text() == str(server.port)
            assert await ask(server.superuser_url, "SELECT 1") == 1


async def test_an_initialization_that_was_interrupted_is_begun_again(directory: Path) -> None:
    (directory / "data.new").mkdir()
    (directory / "data.new" / "PG_VERSION").write_text("18\n")
    with server_in(directory) as server:
        assert await ask(server.superuser_url, "SELECT 1") == 1
    assert not (directory / "data.new").exists()


def test_a_setting_that_postgresql_refuses_is_told_with_its_own_words(directory: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="no_such_setting"):
        EmbeddedPostgres(directory, settings={"no_such_setting": "1", "fsync": "off"}).start()
    with server_in(directory) as server:  # the failed start holds no lock
        assert server.is_owner


async def test_a_start_from_another_thread_is_refused(directory: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="main thread"):
        await asyncio.to_thread(server_in(directory).start)


@needs_root
def test_as_root_the_server_runs_as_another_user(directory: Path) -> None:
    with server_in(directory):
        user = server_user()
        assert Path(f"/proc/{pid_in(directory)}").stat().st_uid == user.uid
        assert (directory / "data").stat().st_uid == user.uid
        assert (directory / "data").stat().st_mode & 0o777 == 0o700


@pytest.fixture
def private_home(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home only root can enter, on a system whose /var/lib is `lib` beside it."""
    home, elsewhere = directory / "home", directory / "lib"
    home.mkdir(mode=0o700)
    elsewhere.mkdir()
    directory.chmod(0o755)
    monkeypatch.setattr(unprivileged, "SYSTEM_STATE", elsewhere)
    return home


@needs_root
async def test_below_a_private_home_the_data_lies_elsewhere_and_the_home_stays_private(private_home: Path) -> None:
    with server_in(private_home / "project" / "var") as server:
        await ask(server.superuser_url, "CREATE TABLE kept AS SELECT 7 AS n")
    with server_in(private_home / "project" / "var") as again:
        assert await ask(again.superuser_url, "SELECT n FROM kept") == 7
    assert again.directory == server.directory
    assert again.directory.parent == private_home.with_name("lib")
    assert private_home.stat().st_mode & 0o777 == 0o700  # noqa: ASYNC240


@needs_root
def test_programs_out_of_reach_are_copied(directory: Path) -> None:
    package = directory / "private" / "programs"
    package.mkdir(parents=True)
    package.parent.chmod(0o700)
    directory.chmod(0o755)
    (package / "tool").write_text("#!/bin/sh\n")
    (package / "tool").chmod(0o700)
    copy = unprivileged.private_copy(package, directory / "copy")
    assert server_user().succeeds(copy / "tool")
    assert not server_user().succeeds(package / "tool")


@needs_root
async def test_it_starts_as_an_ordinary_user(directory: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    if not OsUser("nobody", nobody.pw_uid, nobody.pw_gid).succeeds("/bin/ls", asyncpg.__path__[0]):
        pytest.skip("the packages of this environment lie in a private directory")
    os.chown(directory, nobody.pw_uid, nobody.pw_gid)
    process = in_other_process(directory, str(nobody.pw_uid))
    url, is_owner = answer_of(process)
    assert is_owner
    assert await ask(url, "SELECT 1") == 1
    process.communicate(timeout=30)


@needs_root
def test_a_user_id_without_a_passwd_entry_is_told_what_to_do(directory: Path) -> None:
    _, complaint = in_other_process(directory, "54321").communicate(timeout=30)
    assert "54321 has no entry in the passwd database" in complaint


@needs_root
def test_root_without_an_unprivileged_user_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unprivileged, "CANDIDATES", ("root", "no-such-user"))
    with pytest.raises(EmbeddedPostgresError, match="useradd"):
        server_user()
