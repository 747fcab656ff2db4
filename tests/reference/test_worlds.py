"""What must be so in every world: of the reference itself, and of the scripts that are thrown at the engine."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.units import COUNT
from app.kpis.definition import Definition
from app.kpis.expressions.checker import parse_filter
from app.kpis.expressions.syntax import Node, to_text
from app.kpis.wire import DefinitionWire, read_definition
from tests.reference.definitions import count, name, single
from tests.reference.definitions_random import counted_definitions, definitions, filters, referring_definitions
from tests.reference.ledger import Item, Ledger
from tests.reference.questions import GroupBy
from tests.reference.results import compute
from tests.reference.snapshot import Subject
from tests.reference.steps import AddKpi, PostEvents, Step, build
from tests.reference.wire import definition_json
from tests.reference.worlds import TEAMS, Case, cases

BY = [
    GroupBy(event=name("properties.channel")),
    GroupBy(event=name("about.customer"), top=1),
    GroupBy(attribute="revenue_role"),
    GroupBy(attribute="country", top=1),
]
modest = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@modest
@given(cases())
def test_an_answer_as_of_an_earlier_instant_is_the_one_that_was_given_then(case: Case) -> None:
    """S5: whatever is done later."""
    world = build(case.steps)
    for query in case.queries:
        if query.as_of is not None:
            steps = [step for step in case.steps if step.at <= query.as_of]
            then = replace(query, as_of=None, known_at=min(query.known_at or query.as_of, query.as_of))
            now = replace(query, known_at=then.known_at)
            assert compute(build(steps), then, query.as_of) == compute(world, now, case.now)


@modest
@given(cases(queries=1))
def test_the_members_of_a_team_add_up_to_it(case: Case) -> None:
    """S8, for a count with split credit."""
    world = build((*case.steps, _counting(case)))
    for team in TEAMS:
        subjects = (Subject("team", team), Subject("members_of", team))
        query = replace(case.queries[0], kpis=("wins",), subjects=subjects, whole_person=False, as_of=None)
        query = replace(query, known_at=None, versions={}, compare=(), group_by=None)
        whole, *parts = compute(world, query, case.now).series
        assert whole.total.value == sum((part.total.value or Decimal(0) for part in parts), Decimal(0))


@modest
@given(cases(queries=1))
def test_the_windows_of_a_count_add_up_to_its_total(case: Case) -> None:
    """S2, S20, S24."""
    world = build((*case.steps, _counting(case)))
    query = replace(case.queries[0], kpis=("wins",), as_of=None, known_at=None, versions={}, group_by=None)
    for series in compute(world, query, case.now).series:
        assert series.total.value == sum((cell.value or Decimal(0) for cell in series.cells), Decimal(0))
        assert series.total.sample == sum(cell.sample for cell in series.cells)


@modest
@given(cases(queries=1), st.sampled_from(BY))
def test_the_groups_of_a_count_add_up_to_it(case: Case, by: GroupBy) -> None:
    """S8, S20: by what an event says, by who did it, and with a rest."""
    world = build((*case.steps, _counting(case)))
    asked = replace(case.queries[0], kpis=("wins",), as_of=None, known_at=None, versions={}, compare=(), group_by=None)
    for subject in (
        Subject("organization"),
        Subject("unassigned"),
        Subject("team", TEAMS[0]),
        Subject("member", "ana"),
    ):
        query = replace(asked, subjects=(subject,))
        (whole,) = compute(world, query, case.now).series
        parts = compute(world, replace(query, group_by=by), case.now).series
        assert whole.total.value == sum((part.total.value or Decimal(0) for part in parts), Decimal(0))


def _counting(case: Case) -> Step:
    definition = single(count("deal.won", "call.made"), COUNT)
    return AddKpi(at=case.steps[-1].at.replace(microsecond=1), kpi="wins", definition=definition)


@modest
@given(cases(queries=1), st.data())
def test_the_end_state_of_the_ledger_does_not_depend_on_the_order_of_arrival(case: Case, data: st.DataObject) -> None:
    """For distinct versions of an event (design, section 3)."""
    first: dict[tuple[str, str, int], tuple[str, Item]] = {}
    for step in case.steps:
        if isinstance(step, PostEvents):
            for item in step.items:
                first.setdefault((step.source, item.external_id, item.version), (step.source, item))
    posted = list(first.values())
    assert _end_state(posted) == _end_state(data.draw(st.permutations(posted)))


def _end_state(posted: Sequence[tuple[str, Item]]) -> dict[tuple[str, str], object]:
    ledger = Ledger()
    for source, item in posted:
        ledger.post(source, item, datetime(2026, 1, 1, tzinfo=UTC))
    return {key: (head.version, head.content and head.content.canonical()) for key, head in ledger.heads.items()}


@modest
@given(st.one_of(definitions(), counted_definitions(), referring_definitions()))
def test_random_definitions_are_ones_that_the_api_takes(definition: Definition) -> None:
    assert read_definition(cast(DefinitionWire, definition_json(definition))) == definition


@modest
@given(filters())
def test_random_filters_can_be_written_as_text(where: Node) -> None:
    assert parse_filter(to_text(where)) == where
