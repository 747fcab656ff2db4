"""The parts of forecasts by themselves: shapes, ranges, what can be put together from days, track records."""

from datetime import timedelta
from random import Random

import pytest

from app.goals.forecasting.ending import Ending
from app.goals.forecasting.parts import settles
from app.goals.forecasting.profiles import Profile
from app.goals.forecasting.track import Outcome, compared, share_interval, verdict
from app.kpis.definition import Aggregate, ElapsedMeasure, EventMeasure, EventSelection, OpenMeasure

LEADS, ANSWERS = EventSelection(events=("lead.created",)), EventSelection(events=("call.made",))


def outcome(ended: float, **changes: float) -> Outcome:
    return Outcome(10.0, 20.0, 30.0, ended, **changes)


def test_a_shape_is_believed_as_far_as_it_repeats_itself() -> None:
    same = Profile([[(50.0, 100.0), (150.0, 100.0)]] * 6)
    assert same.factors == pytest.approx([0.5, 1.5])
    random = Random(5)
    chance = Profile([[(random.gauss(100, 20), 100.0) for _ in range(10)] for _ in range(6)])
    assert all(abs(factor - 1) < 0.12 for factor in chance.factors)


def test_a_turn_is_judged_by_the_others() -> None:
    turns = [[(50.0, 100.0), (150.0, 100.0)]] * 5 + [[(150.0, 100.0), (50.0, 100.0)]]
    profile = Profile(turns)
    assert profile.without(5)[0] < profile.without(0)[0]
    assert profile.without(-1) == profile.factors


def test_nothing_in_a_table_is_no_shape() -> None:
    assert Profile([]).is_flat
    assert Profile([[(0.0, 0.0)] * 3] * 4).is_flat


def test_the_range_is_of_percentiles_where_there_are_many_ends() -> None:
    assert Ending([float(n) for n in range(1000)]).range == (100, 500, 899)


def test_the_range_of_few_whole_ends_is_the_nearest() -> None:
    """0 with 74 %, 1 with 22 %, more with 4 %."""
    ending = Ending([0.0] * 740 + [1.0] * 220 + [2.0] * 40)
    assert ending.range == (0, 0, 0)
    assert (ending.at_least(1), ending.at_most(0), ending.within(1, 2)) == pytest.approx((0.26, 0.74, 0.26))


def test_where_nothing_can_end_lower_more_ends_above_the_range() -> None:
    ending = Ending([0.0] * 400 + [float(n) for n in range(1, 601)])
    assert ending.range.p10 == 0
    assert 0.8 <= ending.at_most(ending.range.p90) <= 0.88


@pytest.mark.parametrize(
    ("measure", "is_settled"),
    [
        (EventMeasure(aggregate=Aggregate.COUNT, events=("call.made",)), True),
        (ElapsedMeasure(aggregate=Aggregate.AVG, start=LEADS, end=ANSWERS, match="lead"), False),
        (ElapsedMeasure(aggregate=Aggregate.AVG, start=LEADS, end=ANSWERS, match="lead", dated_by="end"), True),
        (
            ElapsedMeasure(
                aggregate=Aggregate.SHARE_WITHIN, start=LEADS, end=ANSWERS, match="lead", within=timedelta(minutes=5)
            ),
            True,
        ),
        (OpenMeasure(aggregate=Aggregate.COUNT, start=LEADS, end=ANSWERS, match="lead"), False),
    ],
)
def test_what_is_said_of_a_day_is_settled_or_comes_later(
    measure: EventMeasure | ElapsedMeasure | OpenMeasure, is_settled: bool
) -> None:
    assert settles(measure) is is_settled


def test_a_range_holds_with_its_edges() -> None:
    assert [outcome(end).held for end in (9.99, 10, 30, 30.01)] == [False, True, True, False]
    assert (outcome(9).is_below, outcome(31).is_above) == (True, True)


def test_the_interval_of_a_share_is_wilsons() -> None:
    """Wilson (1927): 8 of 10."""
    assert share_interval(8, 10) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    assert share_interval(0, 5)[0] == 0
    assert share_interval(5, 5)[1] == 1


def test_errors_are_compared_where_both_say_something() -> None:
    told = compared([outcome(22, linear_pace=26.0), outcome(20, linear_pace=24.0), outcome(90)], "linear_pace")
    assert told is not None
    assert (told.forecast, told.other, told.ratio) == (1, 4, 0.25)
    assert compared([outcome(22)], "last_year") is None


def test_the_verdict_says_what_chance_cannot_explain() -> None:
    held, missed = [outcome(20, linear_pace=40.0)], [outcome(40, linear_pace=40.0)]
    assert "Too few cases (3)" in verdict(held * 3)
    assert "as it should" in verdict(held * 8 + missed * 2)
    assert "too narrow" in verdict(held * 10 + missed * 30)
    assert "wider than it had to be" in verdict(held * 40)
    assert "smaller than that of linear pace" in verdict(held * 8 + missed * 2)
