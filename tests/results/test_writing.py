"""The document of an answer is written by hand, and has exactly the shape that is documented."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from pydantic import TypeAdapter

from app.calendars.periods import Window
from app.core.schemas import Figure
from app.kpis.attribution import Days, Subject
from app.kpis.ports import TargetChange
from app.kpis.questions import Answer, Cell, Comparison, Group, KpiFace, Series, ToDate
from app.results import schemas
from app.results.writing import Document, Lines, document, number

D = Decimal
NORTH, ANA = UUID(int=1), UUID(int=2)
TEAM, PART = Subject("team", NORTH), Subject("member", ANA, NORTH)
JUNE, JULY = (
    Window("2026-06", date(2026, 6, 1), date(2026, 7, 1)),
    Window("2026-07", date(2026, 7, 1), date(2026, 8, 1)),
)
PERIOD = Window("2026-06-01..2026-07-31", JUNE.start, JULY.end)
MAY = Window("", date(2026, 5, 1), date(2026, 6, 1), is_partial=True)
NOTHING = Lines({}, {})
AIMED = Lines(
    {("calls", TEAM, Days(JULY.start, JULY.end)): D("12.50")},
    {("calls", TEAM): [TargetChange(date(2026, 7, 2), "Łódź", "10", "12.5")]},
)


def face(**changes: Any) -> KpiFace:
    """How a KPI is shown."""
    told: dict[str, Any] = {
        "key": "calls", "name": "Calls “made”", "unit": {"kind": "count"}, "direction": "increase",
        "display": {"decimals": 0, "as_percent": False}, "thresholds": {"good": None, "poor": None},
        "is_additive": True,
    }  # fmt: skip
    return KpiFace(**told | changes)


def series(*cells: Cell, **more: Any) -> Series:
    """Calls of the team over June and July."""
    told: dict[str, Any] = {"kpi": "calls", "subject": TEAM, "cells": cells, "total": Cell(D(3), "ok", 3, 1)}
    return Series(**told | more)


def answer(*found: Series, **changes: Any) -> Answer:
    """An answer of July, with these series."""
    told: dict[str, Any] = {
        "as_of": datetime(2026, 7, 13, 10, tzinfo=UTC), "known_at": datetime(2026, 7, 13, 9, 59, 58, 45, tzinfo=UTC),
        "earliest_as_of": datetime(2026, 1, 1, tzinfo=UTC), "retained_from": None, "time_zone": "Europe/Warsaw",
        "currency": "EUR", "rate_set": None, "calendar": "Poland", "holidays": frozenset(), "period": PERIOD,
        "windows": (JUNE, JULY), "is_complete": (True, False), "kpis": {"calls": face()},
        "instants": tuple((datetime(2026, m, 1, tzinfo=UTC), datetime(2026, m + 1, 1, tzinfo=UTC)) for m in (6, 7)),
        "names": {TEAM: "North", PART: None}, "series": found,
    }  # fmt: skip
    return Answer(**told | changes)


OK, LITTLE = Cell(D("2.50"), "ok", 5, 1), Cell(None, "no_data", 0, 2, 1, 2, 3, 4)
THEN = Comparison((MAY, None), (OK, LITTLE), LITTLE, ToDate(8, OK, LITTLE), (None, ToDate(2, LITTLE, OK)))
DAYS = (Window("2026-07-01", JULY.start, date(2026, 7, 2)), Window("2026-07-02", date(2026, 7, 2), date(2026, 7, 3)))
EVERY_SHAPE = [
    (answer(), NOTHING),
    (answer(series(), windows=(), instants=(), is_complete=()), NOTHING),
    (answer(series(OK, LITTLE), series(OK, OK, subject=PART)), AIMED),
    (answer(series(OK, OK, comparisons={"previous_period": THEN, "same_period_last_year": THEN})), NOTHING),
    *[
        (answer(series(OK, OK, group=group)), AIMED)
        for group in (Group("value", "north", "North"), Group("value", D("3.0")), Group("value", True), Group("rest"))
    ],
    (answer(series(OK, OK), windows=DAYS, holidays=frozenset({DAYS[1].start}), rate_set="plan-2026"), AIMED),
    (
        answer(
            series(Cell(None, "not_retained"), OK),
            retained_from=date(2026, 7, 1),
            kpis={"calls": face(looks_back=True)},
        ),
        NOTHING,
    ),
]


@pytest.mark.parametrize(("told", "lines"), EVERY_SHAPE)
def test_the_document_is_what_the_documented_model_would_write(told: Answer, lines: Lines) -> None:
    text = document(told, lines).text.decode()
    assert schemas.ResultAnswer.model_validate_json(text).model_dump_json() == text


def read(made: Document) -> Any:
    return json.loads(made.text)["series"][0]


def test_each_column_has_its_field_of_the_cells() -> None:
    shown = read(document(answer(series(OK, LITTLE)), NOTHING))
    assert shown["values"] == [2.5, None]
    assert shown["statuses"] == ["ok", "no_data"]
    assert shown["samples"] == [5, 0]
    assert shown["kpi_versions"] == [1, 2]
    assert shown["details"] == [None, {"left_out": 1, "open": 2, "pending": 3, "immature": 4}]
    assert shown["total"] == {"value": 3, "status": "ok", "sample": 3, "kpi_version": 1, "details": None}


def test_targets_stand_beside_whole_subjects_only() -> None:
    assert read(document(answer(series(OK, OK)), AIMED))["targets"] == {"values": [None, 12.5], "total": None}
    assert read(document(answer(series(OK, OK, subject=PART)), AIMED))["targets"] is None
    assert read(document(answer(series(OK, OK, group=Group("rest"))), AIMED))["targets"] is None


def test_notes_tell_of_changes_holidays_and_lost_events_in_time_order() -> None:
    told = answer(series(OK, LITTLE), windows=DAYS, holidays=frozenset({DAYS[0].start}))
    notes = [(note["on"], note["code"]) for note in read(document(told, AIMED))["notes"]]
    changed = [("2026-07-02", "definition_changed"), ("2026-07-02", "target_changed")]
    assert notes == [("2026-07-01", "holiday"), *changed]
    lost = answer(
        series(OK, Cell(None, "not_retained")), retained_from=JULY.start, kpis={"calls": face(looks_back=True)}
    )
    codes = [note["code"] for note in read(document(lost, NOTHING))["notes"]]
    assert codes == ["computed_from_kept", "not_retained"]


def test_what_lasts_of_a_document_is_all_but_its_instants() -> None:
    one = answer(series(OK, OK))
    later = replace(one, as_of=datetime(2026, 7, 14, tzinfo=UTC), known_at=datetime(2026, 7, 14, tzinfo=UTC))
    assert document(one, NOTHING).lasting == document(later, NOTHING).lasting
    assert document(one, NOTHING).text != document(later, NOTHING).text
    assert document(one, NOTHING).lasting != document(answer(series(OK, LITTLE)), NOTHING).lasting


@pytest.mark.parametrize(
    "value",
    ["0", "-0.0", "2", "2.50", "-7", "1e20", "1e-9", "0.1", "999999999999999", "123456789012345678", "1e300",
     "0.6666666666666666666666666666666667", "123456789012345.65", "1000000000000000.5", "0E-30"],
)  # fmt: skip
def test_numbers_are_those_of_other_documents(value: str) -> None:
    assert json.dumps(number(D(value))) == json.dumps(float(TypeAdapter(Figure).dump_python(D(value), mode="json")))
