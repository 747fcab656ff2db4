"""Answers too large for one document, streamed row by row."""

import csv
import io
import json
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.problems import MEDIA_TYPE
from app.core.snapshots import Snapshots
from app.goals.targets import AIMS
from app.kpis import engine
from app.results import schemas, service
from app.results.streaming import stream_results
from tests.results.test_query import COUNT, REVENUE, WON, define, kpi, member, post, won
from tests.results.test_results import ORGANIZATION, event, query
from tests.support import Api

NDJSON, CSV = {"Accept": "application/x-ndjson"}, {"Accept": "text/csv"}
BODY: dict[str, Any] = {"kpis": ["calls_made"], "subjects": [ORGANIZATION], "period": "2026-07", "grain": "day"}


async def lines(api: Api, **more: Any) -> list[Any]:
    response = await api.call("POST", "/kpi-results/query", BODY | more, expect=200, headers=NDJSON)
    assert response.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in response.text.splitlines()]


async def table(api: Api, **more: Any) -> list[dict[str, str]]:
    response = await api.call("POST", "/kpi-results/query", BODY | more, expect=200, headers=CSV)
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(response.text, newline="")))


async def test_a_stream_has_the_figures_of_the_document_and_says_how_many_rows_it_had(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "CHUNK_CELLS", 40)  # a part for each person
    north = (await api.post("/teams", {"name": "North"}, expect=201))["id"]
    await member(api, "Ana", "1", north)
    await member(api, "Bo", "2", north)
    await define(api, COUNT, kpi("heads", "headcount()", "count"))
    await post(api, *[event(f"c{n}", "call.made", actor={"id": str(n % 3)}) for n in range(9)])
    asked = {
        "kpis": ["calls_made", "heads"],
        "subjects": [{"members_of": north}, {"team": north}, ORGANIZATION, {"unassigned": True}],
        "compare": ["previous_period"],
    }
    answer = await query(api, grain="day", **asked)
    head, *rows, tail = await lines(api, **asked)
    assert tail == {"rows": len(rows)}
    assert head["windows"] == answer["windows"]
    assert (head["as_of"], head["time_zone"]) == (answer["as_of"], answer["time_zone"])
    found = {(row["kpi"], row["subject"]["name"], row["subject"]["type"], row["window"], row["is_total"]): row
             for row in rows}  # fmt: skip
    assert len(found) == len(rows) == len(answer["series"]) * 32
    for series in answer["series"]:
        who = (series["kpi"], series["subject"]["name"], series["subject"]["type"])
        for number, window in enumerate(answer["windows"]):
            row = found[*who, window["label"], False]
            assert (row["value"], row["status"], row["sample"], row["kpi_version"]) == tuple(
                series[name][number] for name in ("values", "statuses", "samples", "kpi_versions")
            )
            before = series["comparisons"]["previous_period"]
            assert row["previous_period"]["value"] == before["values"][number]
        assert found[*who, "2026-07", True]["value"] == series["total"]["value"]


async def test_a_table_is_safe_to_open_in_a_spreadsheet(api: Api) -> None:
    evil = (await api.post("/members", {"name": '=HYPERLINK("http://evil")'}, expect=201))["id"]
    await define(api, REVENUE)
    await post(api, won("a", "+1+1", "2.50"), won("b", "@x", "-3"))
    rows = await table(api, kpis=["revenue"], grain="total", subjects=[{"member": evil}])
    assert [row["subject_name"] for row in rows] == ['\'=HYPERLINK("http://evil")'] * 2
    groups = await table(api, kpis=["revenue"], grain="total", group_by={"property": "properties.region"})
    assert [(row["group_value"], row["value"]) for row in groups if row["is_total"] == "true"] == [
        ("'+1+1", "2.5"),
        ("'@x", "-3"),
    ]


async def test_what_is_too_large_for_a_document_says_so_and_can_be_streamed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await define(api, COUNT)
    settings = api.world.app.state.settings
    monkeypatch.setattr(settings, "max_result_cells", 30)
    problem = await api.post("/kpi-results/query", BODY, expect=422)
    assert problem["type"] == "/problems/query-too-large"
    for told in ("32 values", "at most 30", "application/x-ndjson", "text/csv"):
        assert told in problem["detail"]
    assert (await lines(api))[-1] == {"rows": 32}
    monkeypatch.setattr(settings, "max_streamed_cells", 31)
    refused = await api.call("POST", "/kpi-results/query", BODY, expect=422, headers=NDJSON)
    assert refused.headers["content-type"] == MEDIA_TYPE
    detail = refused.json()["detail"]
    assert "at most 31" in detail
    assert "streamed" not in detail
    chart = {"kpi": "calls", "subject": {"organization": True}, "period": "2026-07", "grain": "day"}
    refused = await api.call("POST", "/kpi-results/signals", chart, expect=422)
    assert "streamed" not in refused.json()["detail"]


async def test_cells_of_groups_count_against_the_limit(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await define(api, WON)
    await post(api, *[won(f"w{n}", f"r{n}") for n in range(5)])
    monkeypatch.setattr(api.world.app.state.settings, "max_result_cells", 100)
    body = BODY | {"kpis": ["won"], "group_by": {"property": "properties.region"}}
    assert "192 values" in (await api.post("/kpi-results/query", body, expect=422))["detail"]


@pytest.mark.parametrize(
    ("accept", "status", "media_type"),
    [
        (None, 200, "application/json"),
        ("*/*", 200, "application/json"),
        ("application/*;q=0.5, text/csv;q=0.4", 200, "application/json"),
        ("text/*", 200, "text/csv; charset=utf-8"),
        ("text/csv, application/json;q=0.9", 200, "text/csv; charset=utf-8"),
        ("application/json;q=0, */*;q=0.1", 200, "application/x-ndjson"),
        ("text/html", 406, MEDIA_TYPE),
        ("application/json;q=0", 406, MEDIA_TYPE),
        ("application/xml;q=x", 406, MEDIA_TYPE),
    ],
)
async def test_the_media_type_is_the_one_that_the_caller_likes_most(
    api: Api, accept: str | None, status: int, media_type: str
) -> None:
    await define(api, COUNT)
    headers = {} if accept is None else {"Accept": accept}
    response = await api.call("POST", "/kpi-results/query", BODY, expect=status, headers=headers)
    assert response.headers["content-type"] == media_type


async def test_a_wrong_question_is_refused_before_a_stream_begins(api: Api) -> None:
    await define(api, COUNT)
    for change in ({"period": "tomorrow"}, {"kpis": ["no_such"]}, {"as_of": "2027-01-01T00:00:00Z"}):
        response = await api.call("POST", "/kpi-results/query", BODY | change, expect=422, headers=NDJSON)
        assert response.headers["content-type"] == MEDIA_TYPE


async def test_all_parts_of_a_stream_are_of_one_snapshot(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that is written while the stream is read is in none of its later rows."""
    monkeypatch.setattr(engine, "CHUNK_CELLS", 1)
    monkeypatch.setattr("app.results.streaming._BLOCK", 1)
    await define(api, COUNT)
    subjects = [{"member": await member(api, name, name)} for name in ("Ana", "Bo")]
    body = BODY | {"subjects": [*subjects, ORGANIZATION], "grain": "total"}
    await post(api, event("a", "call.made"))

    question = service.question_of(schemas.ResultQuery.model_validate(body))
    app = api.world.app
    stream = await stream_results(
        Snapshots(app.state.database, api.org_id, app.state.query_budget), question,
        media_type="application/x-ndjson", max_cells=100, targets=AIMS.targets,
    )  # fmt: skip
    await post(api, event("b", "call.made"))
    blocks = [block async for block in stream.body_iterator]
    rows = [json.loads(line) for line in b"".join(block for block in blocks if isinstance(block, bytes)).splitlines()]
    assert rows[-2]["value"] == 1
    assert rows[-1] == {"rows": 6}


async def test_a_reader_who_goes_away_leaves_no_connection_behind(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr("app.results.streaming._BLOCK", 1)
    await define(api, COUNT)
    app = api.world.app
    question = service.question_of(schemas.ResultQuery.model_validate(BODY))
    pool = app.state.database.aside.engine.pool
    before = pool.checkedout()
    stream = await stream_results(
        Snapshots(app.state.database, api.org_id, app.state.query_budget), question,
        media_type="text/csv", max_cells=100, targets=AIMS.targets,
    )  # fmt: skip
    assert pool.checkedout() == before + 1

    async def gone(_message: Any) -> None:
        raise OSError("the reader went away")

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    with pytest.raises(BaseException):  # noqa: B017, PT011 - whatever the server makes of it
        await stream({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, gone)
    assert pool.checkedout() == before


async def _broken_off(api: Api, monkeypatch: pytest.MonkeyPatch, media_type: Any) -> tuple[list[bytes], Any]:
    """The blocks of a stream whose second statement is stopped by the statement timeout, and what was raised."""
    monkeypatch.setattr(engine, "CHUNK_CELLS", 1)
    monkeypatch.setattr("app.results.streaming._BLOCK", 1)
    asked = engine._asked_of

    async def stopped(session: AsyncSession, *rest: Any) -> Any:
        part = await asked(session, *rest)
        await session.execute(text("SET LOCAL statement_timeout = 1"))
        return part

    monkeypatch.setattr(engine, "_asked_of", stopped)
    await define(api, COUNT)
    subjects = [{"member": await member(api, name, name)} for name in ("Ana", "Bo")]
    await post(api, *[event(f"c{n}", "call.made", actor={"id": "Ana"}) for n in range(3000)])
    question = service.question_of(schemas.ResultQuery.model_validate(BODY | {"subjects": subjects}))
    app = api.world.app
    snapshots = Snapshots(app.state.database, api.org_id, app.state.query_budget)
    stream = await stream_results(snapshots, question, media_type=media_type, max_cells=100, targets=AIMS.targets)
    blocks, raised = [], None
    try:
        async for block in stream.body_iterator:
            assert isinstance(block, bytes)
            blocks.append(block)
    except DBAPIError as error:
        raised = error
    return blocks, raised


async def test_lines_that_are_broken_off_end_with_the_problem(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks, raised = await _broken_off(api, monkeypatch, "application/x-ndjson")
    _, *rows, last = [json.loads(line) for line in b"".join(blocks).splitlines()]
    assert raised is None
    assert {row["subject"]["name"] for row in rows} == {"Ana"}
    assert (last["problem"]["type"], last["problem"]["status"]) == ("/problems/query-too-expensive", 422)


async def test_a_table_that_is_broken_off_breaks_the_answer_off(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection closes before the last chunk: no reader of HTTP takes that for the whole."""
    blocks, raised = await _broken_off(api, monkeypatch, "text/csv")
    assert blocks
    assert raised is not None


@pytest.mark.parametrize("cells", [1, 32, 100])
async def test_one_subject_with_very_many_values_is_computed_some_kpis_at_a_time(
    api: Api, monkeypatch: pytest.MonkeyPatch, cells: int
) -> None:
    await define(api, COUNT, REVENUE, WON, kpi("heads", "headcount()", "count"))
    await member(api, "Ana", "1")
    await post(api, event("c", "call.made"), won("a", "north", "2.50"), won("b", "south", "7"))
    asked = {"kpis": ["calls_made", "revenue", "heads", "won"], "group_by": {"property": "properties.region"}}
    whole = await lines(api, **asked)
    monkeypatch.setattr(engine, "CHUNK_CELLS", cells)
    assert await lines(api, **asked) == whole
    assert [face["kpi"] for face in whole[0]["kpis"]] == asked["kpis"]
    assert any(row["value"] == 7 for row in whole[1:-1] if row["kpi"] == "revenue")
