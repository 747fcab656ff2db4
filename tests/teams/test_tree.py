"""The tree of teams, without a database."""

from datetime import date
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from app.teams.facts import Placement
from app.teams.tree import Cycle, find_cycle

A, B, C = (UUID(int=n) for n in (1, 2, 3))
JULY, AUGUST = date(2026, 7, 1), date(2026, 8, 1)


def test_a_chain_is_no_cycle() -> None:
    assert find_cycle([Placement(A, B, None, None), Placement(B, C, None, None)], A) is None


def test_a_cycle_is_told_with_its_first_day_and_its_way() -> None:
    places = [Placement(A, B, None, None), Placement(B, C, None, None), Placement(C, A, JULY, None)]
    assert find_cycle(places, C) == Cycle(JULY, [C, A, B, C])


def test_places_that_never_meet_on_a_day_are_no_cycle() -> None:
    assert find_cycle([Placement(A, B, None, JULY), Placement(B, A, JULY, None)], B) is None
    assert find_cycle([Placement(A, B, None, AUGUST), Placement(B, A, JULY, None)], B) == Cycle(JULY, [B, A, B])


def test_a_cycle_further_up_is_not_taken_for_one_of_the_team() -> None:
    assert (
        find_cycle([Placement(A, B, None, None), Placement(B, C, None, None), Placement(C, B, None, None)], A) is None
    )


_days = st.integers(1, 6).map(lambda day: date(2026, 7, day))
_spans = st.tuples(st.none() | _days, st.none() | _days).filter(
    lambda span: span[0] is None or span[1] is None or span[0] < span[1]
)
_teams = st.sampled_from([A, B, C])
_places = st.builds(lambda team, parent, span: Placement(team, parent, *span), _teams, _teams, _spans)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.builds(lambda team, parent, span: Placement(team, parent, *span), _teams, _teams, _spans), max_size=6)
)
def test_a_cycle_is_found_exactly_when_some_day_has_one(places: list[Placement]) -> None:
    by_team = {place.team_id: place for place in places}.values()  # one place a team, so that days are unambiguous
    found = find_cycle(by_team, A)
    first = next((day for day in _all_days() if _is_below_itself(list(by_team), day)), None)
    assert (found.day if found else None) == first


def _all_days() -> list[date]:
    return [date.min, *(date(2026, 7, day) for day in range(1, 7))]


def _is_below_itself(places: list[Placement], day: date) -> bool:
    above = A
    for _ in range(4):
        holding = [
            place.parent_id
            for place in places
            if place.team_id == above and (place.start or date.min) <= day and (place.end is None or day < place.end)
        ]
        if not holding or holding[0] is None:
            return False
        above = holding[0]
        if above == A:
            return True
    return False
