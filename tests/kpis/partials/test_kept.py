"""The statements that read what is kept."""

import pytest

from app.kpis.definition import EventMeasure
from app.kpis.partials import kept
from app.kpis.partials.shapes import Shape, shape_of, union_shape
from tests.migrations.sql_rules import findings
from tests.reference.definitions import count, is_, over

PARTNER = is_("properties.channel", "partner")
MEASURES = (
    count("call.made"),
    count("deal.won", where=PARTNER),
    over("sum", "amount", "deal.won"),
    over("max", "properties.score", "deal.won", "deal.lost"),
)


def shapes_of(*measures: EventMeasure) -> tuple[Shape, ...]:
    found = [shape_of(measure) for measure in measures]
    hidden = union_shape([count("deal.won", where=PARTNER), count("deal.lost")])
    return tuple(shape for shape in (*found, hidden) if shape is not None)


@pytest.mark.parametrize("nobody", [False, True])
@pytest.mark.parametrize("everybody", [False, True])
def test_what_computes_fresh_figures_keeps_the_rules_of_citus(nobody: bool, everybody: bool) -> None:
    shapes = shapes_of(*MEASURES)
    assert len(shapes) == len(MEASURES) + 1
    assert findings(kept.fresh(shapes, nobody=nobody, everybody=everybody).text) == ()


@pytest.mark.parametrize("nobody", [False, True])
def test_what_asks_for_everything_at_once_keeps_the_rules_of_citus(nobody: bool) -> None:
    assert findings(kept.at_once(shapes_of(*MEASURES), nobody=nobody).text) == ()


def test_a_statement_is_compiled_once_for_the_same_shapes() -> None:
    first, second = (kept.fresh(shapes_of(*MEASURES), nobody=False, everybody=False) for _ in range(2))
    assert first is second
