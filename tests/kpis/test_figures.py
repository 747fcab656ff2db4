"""Cells evaluated from rows, without a database: where rows are laid, how often something is computed."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from app.calendars.periods import CalendarSettings
from app.calendars.working import WorkCalendar
from app.core.db import OrganizationId
from app.kpis.attribution import Attributor, Subject
from app.kpis.cells import RowFields
from app.kpis.figures import Figures
from app.kpis.history import KpiHistory, KpiVersionFacts
from app.kpis.loading import period_of
from app.kpis.planning import Context, Plan
from app.kpis.questions import Query
from app.kpis.wire.definitions import read_definition
from app.teams.facts import MemberRow, Structure

NOW = datetime(2026, 7, 13, 10, tzinfo=UTC)
ANA, BO = UUID(int=1), UUID(int=2)
SUBJECTS = [Subject("member", ANA), Subject("member", BO)]
CALLS: Any = {"aggregate": "count", "events": ["call.made"]}
MAILS: Any = {"aggregate": "count", "events": ["email.sent"]}


def context(recorded_at: datetime = NOW) -> Context:
    """Ana and Bo, as known now; Bo since `recorded_at`."""
    cut = CalendarSettings(ZoneInfo("Europe/Warsaw"))
    members = {ANA: MemberRow(ANA, "Ana", NOW), BO: MemberRow(BO, "Bo", recorded_at)}
    structure = Structure(members, {}, [], [], [], frozenset())
    return Context(
        org_id=OrganizationId(uuid4()),
        at=NOW,
        known_at=NOW,
        earliest_as_of=NOW,
        is_recorded=True,
        cut=cut,
        currency="EUR",
        home_currency="EUR",
        calendar=WorkCalendar("weekdays", cut.zone),
        structure=structure,
        attributor=Attributor(structure, "at_event", date(2026, 7, 13)),
    )


def history(key: str, formula: str, **measures: Any) -> KpiHistory:
    """A KPI of one version."""
    unit: Any = {"kind": "count"}
    definition = read_definition({"measures": measures, "formula": formula, "unit": unit, "direction": "increase"})
    version = KpiVersionFacts(number=1, valid_from=None, recorded_at=NOW, definition=definition, unit={})
    return KpiHistory(
        id=uuid4(), key=key, name=key, state="in_force", recorded_at=NOW, display={}, thresholds={}, versions=(version,)
    )


def planned(*kpis: KpiHistory, where: Context | None = None, **question: Any) -> Plan:
    """The plan of all these KPIs over July, in weeks unless something else is asked."""
    asked = {"period": "2026-07", "grain": "week"} | question
    query = Query(kpis=[each.key for each in kpis], subjects=SUBJECTS, **asked)
    seen = where or context()
    plan = Plan(seen, query, period_of(query, seen), {each.key: each for each in kpis})
    for each in kpis:
        plan.add(each)
    return plan


def row(number: int, subject: int, window: int, count: int, *, left_out: int = 0) -> RowFields:
    """So many events of a measure."""
    return ("measure", number, subject, window, None, Decimal(count), None, None, count, left_out, 0, 0, 0)


def figures(plan: Plan, rows: Sequence[RowFields]) -> Figures:
    """What is known of Ana (0) and Bo (1)."""

    def nobody(*_: object) -> Any:
        raise AssertionError("no formula reads the staff")

    return Figures(plan, {(subject, None): number for number, subject in enumerate(SUBJECTS)}, rows, nobody, {})


def test_each_row_stands_in_the_cell_of_its_measure_subject_and_window() -> None:
    calls = history("calls", "calls", calls=CALLS)
    plan = planned(calls)
    first, last = (plan.windows[plan.tiles[place].days] for place in (0, -1))
    found = figures(plan, [row(0, 0, first, 3), row(0, 1, last, 5, left_out=2)])
    ana, bo = (found.view(subject).series(calls) for subject in SUBJECTS)
    assert [cell.value for cell in ana.cells] == [3, 0, 0, 0, 0]
    assert [cell.value for cell in bo.cells] == [0, 0, 0, 0, 5]
    assert (ana.cells[0].sample, ana.cells[0].status, ana.cells[0].kpi_version) == (3, "ok", 1)
    assert (bo.cells[-1].left_out, bo.cells[-1].status) == (2, "partial")


def test_rows_that_no_cell_reads_are_nothing() -> None:
    """The statement reads every measure in every window; `calls` has no value in the weeks of `emails` alone."""
    both = history("both", "calls + previous(emails)", calls=CALLS, emails=MAILS)
    plan = planned(both, grain="total")
    before = next(number for days, number in plan.windows.items() if days.start == date(2026, 6, 1))
    number = list(plan.measures).index(both.versions[0].definition.measures["calls"])
    found = figures(plan, [row(number, 0, before, 3)])
    assert found.view(SUBJECTS[0]).series(both).total.value == 0
    assert found.subjects_with_any([both]) == set()


def test_whoever_was_not_recorded_yet_has_no_figures() -> None:
    calls = history("calls", "calls", calls=CALLS)
    plan = planned(calls, where=context(recorded_at=datetime(2026, 7, 14, tzinfo=UTC)))
    statuses = [{cell.status for cell in figures(plan, []).view(each).series(calls).cells} for each in SUBJECTS]
    assert statuses == [{"ok"}, {"not_recorded_yet"}]


def test_only_subjects_of_whom_an_event_takes_part_have_any() -> None:
    """A row of zeros says that there are events without the value that is asked for."""
    calls = history("calls", "calls", calls=CALLS)
    plan = planned(calls)
    total = plan.windows[plan.total.days]
    assert figures(plan, [row(0, 0, total, 0)]).subjects_with_any([calls]) == set()
    assert figures(plan, [row(0, 1, total, 0, left_out=1)]).subjects_with_any([calls]) == {SUBJECTS[1]}


def test_kpis_that_refer_to_one_another_by_many_ways_are_computed_once() -> None:
    """Each of thirty looks twice at the one before it: by every way that would be a thousand million formulas."""
    chain = [history("k0", "calls", calls=CALLS)]
    chain += [history(f"k{n}", f"kpi.k{n - 1} + previous(kpi.k{n - 1})") for n in range(1, 31)]
    plan = planned(*chain, grain="total")
    window = plan.windows[plan.total.days]
    assert figures(plan, [row(0, 0, window, 4)]).view(SUBJECTS[0]).series(chain[-1]).total.value == 4


def test_a_plan_reads_a_measure_that_several_kpis_have_once() -> None:
    plan = planned(history("calls", "calls", calls=CALLS), history("twice", "c * 2", c=CALLS), grain="total")
    assert list(plan.measures.values()) == [0]
    assert list(plan.rows) == [("measure", 0, 0)]
