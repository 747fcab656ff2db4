"""What only grows: counts and sums of which nothing is taken away (S34)."""

import pytest

from app.goals.growing import only_grows
from app.kpis.expressions.parser import parse

GROWING = {"calls": True, "net": False}


@pytest.mark.parametrize(
    ("formula", "grows"),
    [
        ("calls", True),
        ("calls + meetings", True),
        ("(calls + 2 * meetings) / 4", True),
        ("calls * (3 - 1)", True),
        ("-(-calls)", True),
        ("0 * lost + won", True),
        ("kpi.calls + won", True),
        ("won - lost", False),
        ("won + -lost", False),
        ("won * (1 - 3)", False),
        ("won / -2", False),
        ("kpi.net", False),
        ("kpi.net + won", False),
        ("-won", False),
    ],
)
def test_a_formula_only_grows_if_nothing_is_taken_away(formula: str, grows: bool) -> None:
    assert only_grows(parse(formula), lambda key: GROWING[key]) is grows
