"""The reference against the worked examples of the semantics, so that it is proven itself."""

from decimal import Decimal

import pytest

from tests.reference.golden import EXAMPLES, like_for_like
from tests.reference.questions import Answer, Cell
from tests.reference.results import compute
from tests.reference.steps import build
from tests.reference.story import ORGANIZATION, Asked, Example, Figure

ASKED = [pytest.param(example, asked, id=example.name) for example in EXAMPLES for asked in example.asked]


@pytest.mark.parametrize(("example", "asked"), ASKED)
def test_the_reference_gives_the_figures_of_the_worked_examples(example: Example, asked: Asked) -> None:
    answer = compute(build(example.steps), asked.query, asked.now)
    for figure in asked.figures:
        assert as_figure(figure, cell_of(answer, figure)) == figure


def cell_of(answer: Answer, figure: Figure) -> Cell:
    series = answer.of(figure.kpi, figure.subject, figure.group)
    shown = series if figure.comparison is None else series.comparisons[figure.comparison]
    return shown.total if figure.window is None else shown.cells[figure.window]


def as_figure(expected: Figure, cell: Cell) -> Figure:
    """The cell in the form of what is expected; a sample that is not expected is not compared."""
    return Figure(
        kpi=expected.kpi,
        subject=expected.subject,
        group=expected.group,
        comparison=expected.comparison,
        window=expected.window,
        value=None if cell.value is None else format(cell.value.normalize(), "f"),
        status=cell.status,
        sample=None if expected.sample is None else cell.sample,
        kpi_version=cell.kpi_version,
        left_out=cell.left_out,
        open=cell.open,
        pending=cell.pending,
    )


def test_the_members_of_a_team_are_those_who_contributed_or_were_in_it() -> None:
    example = next(example for example in EXAMPLES if example.name.startswith("4"))
    at_event, current = (compute(build(example.steps), asked.query, asked.now) for asked in example.asked)
    rows = [
        {s.subject.key for s in answer.series if s.subject.kind == "member_in_team"} for answer in (at_event, current)
    ]
    assert rows == [{"ana", "cy"}, {"ana"}]


def test_an_incomplete_month_is_compared_like_for_like() -> None:
    """Example 14 (S21)."""
    example = like_for_like()
    asked = example.asked[0]
    comparison = (
        compute(build(example.steps), asked.query, asked.now).of("revenue", ORGANIZATION).comparisons["previous_period"]
    )
    assert [cell.value for cell in comparison.cells] == [Decimal(400)]
    assert comparison.total.value == Decimal(400)
    assert comparison.to_date is not None
    assert comparison.to_date.working_days == 8
    assert (comparison.to_date.current.value, comparison.to_date.previous.value) == (Decimal(120), Decimal(110))
    assert comparison.to_date_by_window == (comparison.to_date,)
