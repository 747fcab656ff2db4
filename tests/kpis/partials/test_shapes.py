"""Shapes are stored as JSON and read again; what cannot be kept has none."""

import json

from hypothesis import given
from hypothesis import strategies as st

from app.kpis.definition import Aggregate, EventMeasure
from app.kpis.expressions.checker import parse_filter
from app.kpis.expressions.syntax import Name
from app.kpis.partials.shapes import Shape, shape_of, union_shape

FILTERS = [
    None, "properties.channel == 'phone'", "properties.score > 3 and not properties.channel == 'a\\'b'",
    "quantity >= 2 or properties.name in ('x', 'ł')",
]  # fmt: skip
MERGEABLE = [Aggregate.COUNT, Aggregate.SUM, Aggregate.AVG, Aggregate.MIN, Aggregate.MAX]
VALUES = [Name(("amount",)), Name(("quantity",)), Name(("properties", "score"))]

types = st.lists(st.sampled_from(["call.made", "call.received", "deal.won"]), min_size=1, max_size=4).map(tuple)


@st.composite
def measured(draw: st.DrawFn) -> EventMeasure:
    aggregate = draw(st.sampled_from(MERGEABLE))
    where = draw(st.sampled_from(FILTERS))
    value = None if aggregate is Aggregate.COUNT else draw(st.sampled_from(VALUES))
    return EventMeasure(
        aggregate=aggregate, events=draw(types), where=parse_filter(where) if where else None, value=value
    )


def again(shape: Shape) -> Shape:
    return Shape.from_json(json.loads(json.dumps(shape.to_json())))


@given(measured())
def test_a_shape_is_read_as_it_was_stored(measure: EventMeasure) -> None:
    shape = shape_of(measure)
    assert shape is not None
    assert again(shape) == shape
    assert again(shape).digest == shape.digest


@given(st.lists(measured(), min_size=2, max_size=4))
def test_a_hidden_count_is_read_as_it_was_stored(measures: list[EventMeasure]) -> None:
    shape = union_shape(measures)
    assert shape is None or again(shape) == shape
    assert union_shape(measures[::-1]) == shape


def test_the_order_of_types_and_what_is_made_of_totals_makes_no_other_shape() -> None:
    value = Name(("quantity",))
    one = EventMeasure(aggregate=Aggregate.SUM, events=("deal.won", "call.made"), value=value)
    other = EventMeasure(aggregate=Aggregate.AVG, events=("call.made", "deal.won", "call.made"), value=value)
    assert shape_of(one) == shape_of(other)


def test_what_does_not_add_up_has_no_shape() -> None:
    value = Name(("quantity",))
    assert shape_of(EventMeasure(aggregate=Aggregate.MEDIAN, events=("call.made",), value=value)) is None
    counted = EventMeasure(aggregate=Aggregate.COUNT, events=("call.made",), role="sourcer")
    assert shape_of(counted) is None
    assert union_shape([counted, EventMeasure(aggregate=Aggregate.COUNT, events=("call.made",))]) is None
