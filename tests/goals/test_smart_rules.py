"""The rules of the SMART check by themselves (G1, G5), and what follows from history."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.calendars.periods import DayRange
from app.goals.pace import Direction
from app.goals.smart import rules
from app.goals.smart.history import History, Past, drawn_together, quantile, rounded, scaled
from app.goals.smart.roles import library_role
from app.goals.smart.wording import is_vague
from app.goals.smart.writing import Manner

JULY = DayRange(date(2026, 7, 1), date(2026, 8, 1), "2026-07")
_values = st.lists(st.decimals("0", "1000000", places=2), min_size=6, max_size=12)


def aimed(values: Sequence[Decimal], direction: Direction = "increase", **changes: object) -> rules.Aimed:
    history = History("own", past(values), periods=len(values))
    return rules.Aimed(direction=direction, history=history, **changes)  # type: ignore[arg-type]


def past(values: Sequence[Decimal]) -> tuple[Past, ...]:
    return tuple(Past(JULY, value, value) for value in values)


@given(_values)
def test_half_of_the_periods_reach_the_realistic_and_a_fifth_the_ambitious_target(values: list[Decimal]) -> None:
    realistic, ambitious = rules.quantiles(aimed(values)) or (Decimal(0), Decimal(0))
    assert min(values) <= realistic <= ambitious <= max(values)
    assert 2 * sum(value >= realistic for value in values) >= len(values)
    assert 5 * (sum(value > ambitious for value in values) - 1) <= len(values)
    least, most = rules.quantiles(aimed(values, "decrease")) or (Decimal(0), Decimal(0))
    assert least >= most >= min(values)


@given(st.decimals("0", "1e12", places=4), st.integers(0, 6))
def test_a_target_is_suggested_in_three_digits_near_the_quantile(value: Decimal, decimals: int) -> None:
    target = Manner(decimals).target(value)
    assert abs(target - value) <= max(value * Decimal("0.005"), Decimal("0.5").scaleb(-decimals))
    assert len(target.normalize().as_tuple().digits) <= 3 or target == target.to_integral_value() == 1000


@pytest.mark.parametrize(
    ("value", "manner", "target", "words"),
    [
        ("119873.4412", Manner(2, currency="EUR"), "120000", "120,000 EUR"),
        ("0.50926", Manner(3, as_percent=True), "0.509", "50.9 %"),
        ("8.5", Manner(0), "9", "9"),
        ("4.26", Manner(1), "4.3", "4.3"),
        ("0.3", Manner(0), "0", "0"),
        ("86412.7", Manner(0, is_duration=True), "86400", "86,400 seconds"),
        ("0", Manner(2), "0", "0"),
    ],
)
def test_targets_are_written_as_people_set_them(value: str, manner: Manner, target: str, words: str) -> None:
    found = manner.target(Decimal(value))
    assert (f"{found.normalize():f}", manner.words(found)) == (target, words)


@given(_values, st.decimals("0.01", "2000000", places=2))
def test_what_was_reached_before_is_never_too_much(values: list[Decimal], target: Decimal) -> None:
    codes = [finding.code for finding in rules.achievable(aimed(values, value=target))]
    assert codes == [
        "far_beyond_best"
        if target > max(values) * Decimal("1.5")
        else "beyond_best"
        if target > max(values)
        else "too_easy"
        if target <= min(values)
        else "within_history"
    ]


@given(_values, st.decimals("0", "1", places=3))
def test_a_quantile_lies_between_its_neighbours(values: list[Decimal], share: Decimal) -> None:
    """S11, against positions counted with fractions."""
    ordered, position = sorted(values), Fraction(share) * (len(values) - 1)
    below = int(position)
    above = ordered[min(below + 1, len(ordered) - 1)]
    exact = Fraction(ordered[below]) + (Fraction(above) - Fraction(ordered[below])) * (position - below)
    assert abs(Fraction(quantile(values, share)) - exact) < Fraction(1, 10**20)


@given(_values)
def test_several_months_together_differ_less_than_one(values: list[Decimal]) -> None:
    together = [each.value for each in drawn_together(past(values), 3)]
    assert abs(quantile(together, Decimal("0.5")) - quantile(values, Decimal("0.5"))) < Decimal("0.000001")
    assert max(together) - min(together) <= max(values) - min(values) + Decimal("0.000001")
    assert [each.value for each in drawn_together(past(values), 1)] == values


def test_values_that_add_up_go_by_working_time() -> None:
    assert scaled(Decimal(20), Fraction(20), Fraction(10)) == 10
    assert scaled(Decimal(20), Fraction(0), Fraction(10)) is None
    assert rounded(Decimal("1234.5678"), 0) == 1235
    assert rounded(Decimal("1e60"), 2) == Decimal("1e60")
    assert rounded(Decimal("1e300"), 2) == Decimal("1e300")


def test_a_limit_is_better_the_lower_it_is() -> None:
    values = [Decimal(number) for number in range(10, 20)]
    findings = {
        value: rules.achievable(aimed(values, "decrease", value=Decimal(value)))[0].code for value in (5, 8, 12, 30)
    }
    assert findings == {5: "far_beyond_best", 8: "beyond_best", 12: "within_history", 30: "too_easy"}


def test_a_band_that_was_never_kept_is_told_with_another() -> None:
    values = [Decimal(number) for number in range(10, 20)]
    (far,) = rules.achievable(aimed(values, "maintain", low=Decimal(1), high=Decimal(2)))
    assert (far.code, far.severity) == ("far_beyond_best", "error")
    (told,) = rules.achievable(aimed(values, "maintain", low=Decimal(7), high=Decimal(9)))
    assert (told.code, told.severity) == ("beyond_best", "warning")
    assert told.suggestion == {"target": {"low": "11.8", "high": "17.2"}}
    (kept,) = rules.achievable(aimed(values, "maintain", low=Decimal(12), high=Decimal(15)))
    assert (kept.code, kept.evidence["reached"]) == ("within_history", 4)


def test_without_a_target_it_cannot_be_told_but_one_is_suggested() -> None:
    values = [Decimal(number) for number in range(10, 20)]
    (told,) = rules.achievable(aimed(values))
    assert (told.code, told.severity, told.suggestion) == ("target_unknown", "unknown", {"target": {"value": "14.5"}})
    (band,) = rules.achievable(aimed(values, "maintain"))
    assert (band.code, band.suggestion) == ("target_unknown", {"target": {"low": "11.8", "high": "17.2"}})


def test_what_all_periods_reached_is_not_too_easy_in_a_period_that_goes_badly() -> None:
    values = [Decimal(number) for number in range(10, 20)]
    bad, good = (aimed(values, value=Decimal(5), likelihood=Decimal(share)) for share in ("0.2", "0.9"))
    assert [finding.code for finding in rules.achievable(bad)] == ["forecast", "within_history"]
    assert [finding.code for finding in rules.achievable(good)] == ["forecast", "too_easy"]


def test_a_best_just_short_of_the_target_is_not_written_like_it() -> None:
    values = [Decimal("5.25"), *(Decimal(number) for number in range(6, 12))]
    (told,) = rules.achievable(aimed(values, "decrease", value=Decimal(5), manner=Manner(0)))
    assert "the best had 5.25." in told.message


def test_a_stretch_target_within_reach_is_told() -> None:
    values = [Decimal(number) for number in range(10, 20)]
    findings = rules.achievable(aimed(values, value=Decimal(15), stretch=Decimal(16)))
    assert [finding.code for finding in findings] == ["within_history", "stretch_within_reach"]


@pytest.mark.parametrize(
    ("severities", "verdict"),
    [
        ([], "pass"),
        (["info"], "pass"),
        (["info", "unknown"], "unknown"),
        (["unknown", "warning"], "warn"),
        (["warning", "error", "info"], "fail"),
    ],
)
def test_the_worst_finding_decides(severities: list[rules.Severity], verdict: str) -> None:
    findings = [
        rules.Finding(criterion="specific", code="x", severity=severity, message="", pointer="")
        for severity in severities
    ]
    assert rules.verdict_of(findings) == verdict


def test_an_owner_is_needed_and_a_goal_within_its_parent_is_no_double() -> None:
    quarter = DayRange(date(2026, 7, 1), date(2026, 10, 1), "2026-Q3")
    same = [rules.Other("1", "Q3", "calls", quarter), rules.Other("2", "July", "calls", JULY)]
    wording = rules.Wording(name="Calls", kpi="calls", has_owner=False, period=JULY, same=same, parent_id="1")
    assert [finding.code for finding in rules.specific(wording)] == ["owner_missing", "same_goal"]


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({}, []),
        ({"state": "draft"}, ["kpi_draft"]),
        ({"state": "archived"}, ["kpi_archived"]),
        ({"is_qualitative": True, "status": "no_data", "sample": 0}, ["no_scores"]),
        ({"lacking": ["deal.won"], "sample": 0}, ["source_missing"]),
        ({"sample": 0}, ["no_data"]),
        ({"status": "partial", "left_out": 3}, ["partial_data"]),
        ({"status": "partial", "left_out": 3, "sample": 0}, ["partial_data"]),
        ({"unit": "ratio", "value": Decimal(4), "recent": Decimal("3.5")}, []),
        ({"unit": "count", "value": Decimal("1.5")}, ["target_not_whole"]),
        ({"unit": "ratio", "value": Decimal(40)}, ["target_in_percent"]),
        ({"unit": "ratio", "value": Decimal("0.4")}, []),
    ],
)
def test_what_is_measurable(changes: dict[str, object], codes: list[str]) -> None:
    measured = rules.Measured(**{"kpi": "x", "state": "official", "sample": 9} | changes)  # type: ignore[arg-type]
    assert [finding.code for finding in rules.measurable(measured)] == codes


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({}, []),
        ({"role": "closing", "roles": ["closing"]}, []),
        ({"role": "prospecting", "roles": ["closing"]}, ["kpi_not_of_role"]),
        ({"initiatives": 0}, ["no_initiative"]),
        ({"above": [rules.Other("1", "All", "x", JULY)]}, ["parent_missing"]),
        ({"above": [rules.Other("1", "All", "x", JULY)], "has_parent": True}, []),
        ({"own": [rules.Other(str(n), "x", "x", JULY, "member", "leading") for n in range(7)]}, ["many_goals"]),
        ({"own": [rules.Other("1", "x", "x", JULY)]}, ["only_lagging"]),
        ({"weight_share": Decimal("0.01")}, ["weight_small"]),
    ],
)
def test_what_is_relevant(changes: dict[str, object], codes: list[str]) -> None:
    placed = rules.Placed(**{"kpi": "x", "initiatives": 1} | changes)  # type: ignore[arg-type]
    assert [finding.code for finding in rules.relevant(placed)] == codes


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({}, []),
        ({"set_on": date(2026, 8, 1)}, ["period_over"]),
        ({"elapsed": Fraction(1, 2)}, ["started_long_ago"]),
        ({"working_days": 0}, ["period_short"]),
        ({"window": timedelta(days=90)}, ["period_shorter_than_window"]),
        ({"expected": Decimal("0.5"), "is_counted": True}, ["less_than_one_expected"]),
        ({"expected": Decimal("0.5")}, []),
        ({"period": DayRange(date(2027, 1, 1), date(2028, 1, 1))}, ["no_milestones"]),
        ({"period": DayRange(date(2027, 1, 1), date(2028, 1, 1)), "milestones": 1}, []),
    ],
)
def test_what_is_bound_in_time(changes: dict[str, object], codes: list[str]) -> None:
    timed = rules.Timed(**{"period": JULY, "set_on": date(2026, 6, 1), "working_days": 23} | changes)  # type: ignore[arg-type]
    assert [finding.code for finding in rules.time_bound(timed)] == codes


@pytest.mark.parametrize(
    ("written", "role"),
    [
        ("closing", "closing"),
        ("Senior Account Executive", "closing"),
        ("SDR", "prospecting"),
        ("Key account manager", "customer_success"),
        ("Sales manager", "team_leader"),
        ("Qualifier", "qualifying"),
        ("gardener", None),
        ("", None),
        (None, None),
    ],
)
def test_roles_are_understood_as_people_write_them(written: str | None, role: str | None) -> None:
    assert library_role(written) == role


@given(st.text(max_size=50))
def test_any_name_is_vague_or_not(name: str) -> None:
    assert is_vague(name) in {True, False}
    assert not is_vague(name, name)
    assert not is_vague(f"{name} 20")
