"""The commands, as processes of their own on real databases."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from app import cli, supervisor
from app.core.roles import APP_ROLE, OWNER_ROLE, DatabaseUrls, urls
from app.core.rowsecurity import WORKER_ROLE
from app.supervisor import PROJECT, Child, ServiceEnded, listen, supervise

PATIENCE = 30.0
CALLS = {
    "key": "calls",
    "name": "Calls",
    "category": "sales_results",
    "indicator": "lagging",
    "state": "official",
    "direction": "increase",
    "unit": {"kind": "count"},
    "measures": {"n": {"aggregate": "count", "events": ["call.made"]}},
    "formula": "n",
}


def environment(**settings: object) -> dict[str, str]:
    """Our environment with these settings of Paceline and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PACELINE_")}
    return {**kept, **{f"PACELINE_{name}": str(value) for name, value in settings.items()}}


def paceline(*arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "app.cli", *arguments]
    return subprocess.run(
        command, cwd=PROJECT, env=environment(**settings), capture_output=True, text=True, timeout=60, check=False
    )


@contextmanager
def running(*arguments: str, told: Path, **settings: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command beside the test; what it says goes to a file. It is ended by SIGTERM."""
    command = [sys.executable, "-m", "app.cli", *arguments]
    with told.open("wb") as output:
        process = subprocess.Popen(command, cwd=PROJECT, env=environment(**settings), stderr=output, stdout=output)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Commands run in this process: without settings from outside, and without touching pytest's logging."""
    for name in list(os.environ):
        if name.startswith("PACELINE_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(cli, "configure_logging", lambda _level: None)
    return monkeypatch


def until_served(url: str, told: Path) -> httpx.Response:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            return httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(told.read_text())


def until_told(what: str, told: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while what not in told.read_text():
        assert time.monotonic() < deadline, told.read_text()
        time.sleep(0.05)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def production(postgres: dict[str, Any], request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Settings of a server on which nothing was made yet; it is the tests' own, so the passwords stay theirs."""
    name = f"cli_{getattr(request.config, 'workerinput', {}).get('workerid', 'main')}"
    made = urls(postgres["superuser"], name, postgres["passwords"])
    yield {
        "SUPERUSER_DATABASE_URL": postgres["superuser"],
        "OWNER_DATABASE_URL": made.owner,
        "DATABASE_URL": made.app,
        "WORKER_DATABASE_URL": made.worker,
    }
    subprocess.run(
        [sys.executable, "-c", f"import asyncio; from tests.test_cli import drop; asyncio.run(drop({name!r}))"],
        cwd=PROJECT, env=environment(SUPERUSER_DATABASE_URL=postgres["superuser"]), check=True,
    )  # fmt: skip


async def drop(name: str) -> None:
    server = await asyncpg.connect(os.environ["PACELINE_SUPERUSER_DATABASE_URL"])
    await server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await server.close()


def test_production_goes_step_by_step_each_with_its_own_url(production: dict[str, str], tmp_path: Path) -> None:
    made = paceline("bootstrap", **production)
    assert made.returncode == 0, made.stderr
    assert all(role in made.stderr for role in (OWNER_ROLE, APP_ROLE, WORKER_ROLE))
    assert paceline("bootstrap", **production).returncode == 0

    migrated = paceline("migrate", OWNER_DATABASE_URL=production["OWNER_DATABASE_URL"])
    assert migrated.returncode == 0, migrated.stderr

    app = {"DATABASE_URL": production["DATABASE_URL"]}
    options = ("--time-zone", "Europe/Warsaw", "--currency", "PLN")
    created = paceline("organization", "create", "Example Ltd", *options, **app)
    assert created.returncode == 0, created.stderr
    token = re.search(r"API key (\S+)", created.stdout)
    assert token is not None

    past = ("organization", "create", "Past", "--now", "2026-01-05T08:00:00Z")
    assert paceline(*past, **app).returncode == 1
    assert paceline(*past, MANUAL_CLOCK="true", **app).returncode == 0

    port, said, worked = free_port(), tmp_path / "service", tmp_path / "worker"
    worker_url = {"WORKER_DATABASE_URL": production["WORKER_DATABASE_URL"]}
    with (
        running("serve", "--port", str(port), told=said, **app) as service,
        running("worker", told=worked, **worker_url) as worker,
    ):
        base = f"http://127.0.0.1:{port}"
        assert until_served(f"{base}/readyz", said).json()["status"] == "ok"
        organization = httpx.get(f"{base}/v1/organization", headers={"Authorization": f"Bearer {token[1]}"}).json()
        assert (organization["name"], organization["currency"]) == ("Example Ltd", "PLN")
        until_told("worker-started", worked)
        worker.terminate()
        assert worker.wait(PATIENCE) == 0, worked.read_text()
        service.terminate()
        assert service.wait(PATIENCE) in {0, -signal.SIGTERM}, said.read_text()


def test_without_a_database_the_service_brings_its_own(tmp_path: Path) -> None:
    data, said = tmp_path / "data", tmp_path / "said"
    with running("serve", "--port", "0", told=said, DATA_DIR=data) as process:
        base = address_in(said)
        docs = until_served(f"{base}/docs", said)
        assert docs.status_code == 200
        assert "//cdn." not in docs.text
        assert [path.stat().st_mode & 0o777 for path in data.rglob("roles.json")] in ([0o600], [])
        created = paceline("organization", "create", "Beside the service", DATA_DIR=data)
        assert created.returncode == 0, created.stderr
        token = created.stdout.split()[-1]
        me = httpx.get(f"{base}/v1/me", headers={"Authorization": f"Bearer {token}"})
        assert me.status_code == 200
        process.terminate()
        assert process.wait(PATIENCE) == 0, said.read_text()

    with running("serve", "--port", "0", "--workers", "2", told=said, DATA_DIR=data) as process:
        base = address_in(said)
        assert until_served(f"{base}/docs", said).status_code == 200
        again = httpx.get(f"{base}/v1/me", headers={"Authorization": f"Bearer {token}"})
        assert again.json()["organization_id"] == me.json()["organization_id"]
        assert len(children_of(process.pid, "serve")) == 2

        defined = httpx.post(f"{base}/v1/kpis", json=CALLS, headers={"Authorization": f"Bearer {token}"})
        assert defined.status_code == 201
        # Whoever serves tells of the worker, too.
        assert wait_for(lambda: "paceline_partial_measures 1.0" in httpx.get(f"{base}/metrics").text)

        [worker] = children_of(process.pid, "worker")
        os.kill(worker, signal.SIGKILL)
        assert wait_for(lambda: [pid for pid in children_of(process.pid, "worker") if pid != worker])

        process.kill()  # nobody tells the children, and yet they end
        process.wait(PATIENCE)
        assert wait_for(lambda: not reachable(base))


def test_several_processes_are_one_service(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    made = paceline("organization", "create", "Several", DATABASE_URL=database_urls.app)
    caller = {"Authorization": f"Bearer {made.stdout.split()[-1]}"}
    port, said = free_port(), tmp_path / "said"
    base = f"http://127.0.0.1:{port}"
    question = {"kpis": ["calls"], "subjects": [{"organization": True}], "period": "2026"}

    def answers() -> set[int]:  # each by a connection of its own: both processes answer
        asked = (httpx.post(f"{base}/v1/kpi-results/query", json=question, headers=caller) for _ in range(10))
        return {answer.status_code for answer in asked}

    def counted() -> list[str]:
        told = [httpx.get(f"{base}/metrics").text for _ in range(5)]
        return [line for text in told for line in text.splitlines() if "query" in line and 'status="200"' in line]

    with running("serve", "--port", str(port), "--workers", "2", told=said, DATABASE_URL=database_urls.app) as process:
        until_served(f"{base}/readyz", said)
        children = children_of(process.pid, "serve")
        assert len(children) == 2

        assert answers() == {422}  # there is no such KPI, as each of them remembers
        assert httpx.post(f"{base}/v1/kpis", json=CALLS, headers=caller).status_code == 201
        assert answers() == {200}

        assert wait_for(lambda: len(lines := counted()) == 5 and all(line.endswith(" 10.0") for line in lines))

        process.terminate()
        assert process.wait(PATIENCE) == 0, said.read_text()
        assert not any(map(is_alive, children))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the processes accept from one socket")
def test_connections_that_come_together_are_shared_out_among_processes() -> None:
    with ExitStack() as opened:
        listeners = opened.enter_context(listen("127.0.0.1", 0, 2))
        place = listeners.sockets[0].getsockname()
        for _ in range(64):
            opened.enter_context(socket.create_connection(place))
        for each in listeners.sockets:
            each.settimeout(PATIENCE)
            opened.enter_context(each.accept()[0])


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the processes accept from one socket")
def test_connections_go_to_the_others_while_a_process_is_started_again() -> None:
    with ExitStack() as opened:
        listeners = opened.enter_context(listen("127.0.0.1", 0, 2))
        one, other = listeners.sockets
        for each in listeners.sockets:
            each.settimeout(PATIENCE)
        listeners.leave_to_others(one)
        for _ in range(32):
            opened.enter_context(socket.create_connection(one.getsockname()))
            opened.enter_context(other.accept()[0])
        listeners.leave_to_others(other)  # it is the last, and goes on
        opened.enter_context(socket.create_connection(one.getsockname()))
        opened.enter_context(other.accept()[0])
        one.listen()  # as whoever inherited it does when he is ready
        for _ in range(64):
            opened.enter_context(socket.create_connection(one.getsockname()))
        opened.enter_context(one.accept()[0])


@pytest.mark.parametrize("processes", [1, 2])
def test_two_services_do_not_share_a_port(processes: int) -> None:
    with listen("127.0.0.1", 0, 2) as first, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", first.sockets[0].getsockname()[1], processes)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def address_in(said: Path) -> str:
    found = wait_for(lambda: re.search(r"Serving on (http\S+)/docs", said.read_text()))
    assert found, said.read_text()
    return str(found[1])


def wait_for(what: Any) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := what()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def reachable(base: str) -> bool:
    try:
        httpx.get(f"{base}/healthz")
    except httpx.TransportError:
        return False
    return True


def children_of(parent: int, command: str) -> list[int]:
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    return [int(pid) for pid, ppid, args in rows if int(ppid) == parent and f"app.cli {command}" in args]


async def test_a_child_that_ends_soon_after_each_start_ends_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE_SECONDS", 0.01)
    with pytest.raises(ServiceEnded, match="x ends soon after each start") as ended:
        await supervise([Child("x", ("no-such-command",))])
    assert ended.value.code == 2


async def test_what_fails_beside_the_children_ends_them(tmp_path: Path) -> None:
    async def fail() -> None:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        await supervise([], meanwhile=fail)


def test_children_are_given_the_url_of_their_own_role_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "WORKER_DATABASE_URL", "OWNER_DATABASE_URL", "SUPERUSER_DATABASE_URL"):
        monkeypatch.setenv(f"PACELINE_{name}", "postgresql://secret")
    assert "postgresql://secret" not in supervisor._without_databases().values()


def test_a_taken_port_is_named_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = paceline("serve", "--port", port)
    assert refused.returncode == 1
    assert f"port {port}" in refused.stderr
    assert "--port" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        (["migrate"], {}, "PACELINE_OWNER_DATABASE_URL is not set"),
        (["worker"], {}, "PACELINE_WORKER_DATABASE_URL is not set"),
        (["bootstrap"], {}, "PACELINE_SUPERUSER_DATABASE_URL is not set"),
        (["serve"], {"PORT": "eighty"}, "PACELINE_PORT"),
        (["serve"], {"LOG_LEVEL": "LOUD"}, "PACELINE_LOG_LEVEL"),
        (["migrate"], {"OWNER_DATABASE_URL": "postgresql://paceline_owner:x@127.0.0.1:1/x"}, "database"),
        (["organization", "create", "X", "--time-zone", "Europe/Nowhere"], {}, "Europe/Nowhere"),
        (["organization", "create", "X", "--currency", "XXY"], {}, "XXY"),
        (["organization", "create", ""], {}, "NAME"),
        (["serve", "--port", "70000"], {}, "--port"),
        (["serve", "--workers", "0"], {}, "--workers"),
        (["dance"], {}, "dance"),
        ([], {}, "COMMAND"),
    ],
)
def test_what_is_wrong_is_named_and_ends_the_command(
    arguments: list[str],
    settings: dict[str, str],
    message: str,
    here: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in settings.items():
        here.setenv(f"PACELINE_{name}", value)
    try:
        code = cli.main(arguments)
    except SystemExit as refused:  # argparse's
        code = int(refused.code or 0)
    assert code in {1, 2}
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"OWNER_DATABASE_URL": "postgresql://postgres:x@localhost/paceline"}, "paceline_owner"),
        ({"DATABASE_URL": "postgresql://paceline_app@localhost/paceline"}, "PASSWORD"),
        ({"WORKER_DATABASE_URL": "postgresql://paceline_worker:x@localhost/other"}, "different databases"),
    ],
)
def test_bootstrap_asks_for_urls_that_belong_together(
    changed: dict[str, str], message: str, here: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = {
        "SUPERUSER_DATABASE_URL": "postgresql://postgres:x@localhost/postgres",
        "OWNER_DATABASE_URL": "postgresql://paceline_owner:x@localhost/paceline",
        "DATABASE_URL": "postgresql://paceline_app:x@localhost/paceline",
        "WORKER_DATABASE_URL": "postgresql://paceline_worker:x@localhost/paceline",
    }
    for name, value in {**whole, **changed}.items():
        here.setenv(f"PACELINE_{name}", value)
    assert cli.main(["bootstrap"]) == 1
    assert message in capsys.readouterr().err


def test_the_document_is_written_sorted_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "DOCUMENT", tmp_path / "openapi" / "openapi.json")
    assert cli.main(["openapi", "--check"]) == 1
    assert cli.main(["openapi"]) == 0
    assert cli.main(["openapi", "--check"]) == 0
    written = cli.DOCUMENT.read_text(encoding="utf-8")
    assert written.startswith('{\n  "components"')
    cli.DOCUMENT.write_text(written.replace("Paceline", "Other", 1), encoding="utf-8")
    assert cli.main(["openapi", "--check"]) == 1
