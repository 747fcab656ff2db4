"""Expressions that nobody writes by mistake: each ends as an error with its place, and costs next to nothing."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.units import COUNT, MONEY
from app.kpis.expressions.checker import infer, parse_filter, refuse_zero_divisors
from app.kpis.expressions.parser import MAX_DEPTH, MAX_LENGTH, MAX_NODES, parse
from app.kpis.expressions.syntax import ExpressionError, Node, children, walk
from tests.support import Api

MEASURES = {"won": COUNT, "lost": COUNT, "revenue": MONEY}
KPIS = {"calls": COUNT, "revenue": MONEY}


def read_formula(text: str) -> Node:
    tree = parse(text)
    infer(tree, MEASURES, KPIS)
    refuse_zero_divisors(tree)
    return tree


def depth(node: Node) -> int:
    return 1 + max(map(depth, children(node)), default=0)


def require_bounded(text: str, read: Callable[[str], Node]) -> None:
    """It is read, small enough for everything that follows, or refused at a place inside the text."""
    found = outcome(text, read)
    if isinstance(found, ExpressionError):
        assert 0 <= found.position <= len(text)
        assert found.position + found.length <= max(len(text), found.position + 1)
        assert len(found.message) < 1_000
    else:
        assert len(list(walk(found))) <= MAX_NODES
        assert depth(found) <= MAX_NODES


def outcome(text: str, read: Callable[[str], Node]) -> Node | ExpressionError:
    try:
        return read(text)
    except ExpressionError as error:
        return error


HOSTILE = {
    "ten thousand characters": "a" * 10_000,
    "one number": "9" * 400,
    "one number with 35 digits": f"won + {'9' * 35}",
    "nots": "not " * 400 + "won",
    "minuses": "-" * 1_999 + "1",
    "minuses apart": "- " * 999 + "1",
    "open parentheses": "(" * 1_999,
    "closed parentheses": ")" * 1_999,
    "nested parentheses": "(" * 900 + "1" + ")" * 900,
    "nested functions": "abs(" * 400 + "won" + ")" * 400,
    "nested lists": "[" * 900,
    "a long sum": "+".join(["1"] * 900),
    "a long chain": " and ".join(["won"] * 300),
    "a long list": f"type in [{','.join(['1'] * 600)}]",
    "a long name": f"properties.{'x' * 1_900} + 1",
    "a long path": "a" + ".a" * 900,
    "commas": "max(" + "," * 900,
    "Cyrillic": "w\u043en / lost",
    "full-width": "ｗｏｎ",
    "zero width": "wo\u200bn + 1",
    "byte order mark": "\ufeffwon",
    "right to left": "won \u202e+ lost",
    "combining": "wo\u0301n",
    "emoji": "won + 🚀",
    "NUL": "won\x00",
    "NUL in quotes": "type == 'a\x00'",
    "lone surrogate": "won + \ud800",
    "lone surrogate in quotes": "type == '\udfff'",
    "non-breaking space": "won\u00a0+ lost",
    "line separator": "won\u2028+ lost",
    "Arabic digits": "won + ٣",
    "superscript": "won²",
    "fraction": "won + ½",
    "SQL statement": "won; DROP TABLE event",
    "SQL comment": "won -- and so on",
    "SQL block comment": "won /* x */ + 1",
    "SQL cast": "won::text",
    "SQL text": "type = '' OR 1=1",
    "SQL function": "pg_sleep(10)",
    "SQL subquery": "(select 1)",
    "dollar quotes": "$$x$$",
    "placeholder": "%s + :a + {b}",
    "template": "{{ 7 * 7 }}",
    "Python": "__import__('os').system('x')",
    "attributes": "won.__class__.__mro__",
    "exponent": "1e308",
    "power": "2**2**2",
    "hexadecimal": "0x10",
    "infinity": "inf - nan",
    "division by 0": "won / 0",
    "division by a calculated 0": "won / (2 - 1 - 1)",
    "unit nonsense": "won + revenue",
    "itself in itself": "previous(previous(won))",
    "nothing": "",
    "spaces": " \t\n",
    "open quote": "'",
    "open escape": "'\\",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_text_is_refused_at_its_place(text: str) -> None:
    for read in (parse_filter, read_formula):
        with pytest.raises(ExpressionError):
            read(text)
        require_bounded(text, read)


def test_the_longest_numbers_are_exact_and_no_longer_ones_are_read() -> None:
    assert infer(parse(f"won * {'9' * 34}"), MEASURES) == COUNT
    many = " * ".join(["9" * 34] * 50)
    require_bounded(f"won / (1 / {many})", read_formula)
    assert infer(parse(f"won + {many}"), MEASURES) == COUNT


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("w\u043en", 1), ("wo\u200bn", 2), ("\u202ewon", 0), ("won\x00", 3), ("won\ud800", 3), ("won; DROP", 3),
        ("won / 0", 6), ("(" * 1_999, MAX_DEPTH), ("a" * 3_000, MAX_LENGTH), ("won + 🚀", 6),
    ],
)  # fmt: skip
def test_the_place_is_counted_in_characters(text: str, position: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        read_formula(text)
    assert caught.value.position == position


PIECES = st.sampled_from(
    ["won", "lost", "revenue", "amount", "properties", "about", "kpi", "calls", ".", "[", "]", "(", ")", ",", "'", '"',
     "'a'", "0", "1", "12.5", "9" * 34, "+", "-", "*", "/", "==", "!=", "<", ">=", " in ", " not ", " and ", " or ",
     "true", "has(", "nth(", "abs(", "max(", "round(", "previous(", "same_period_last_year(", "target(", "headcount()",
     " ", "\\", "\u200b", "\u202e", "\x00", "\ud83d", "é", "＝", "--", ";", "deal", "type"]
)  # fmt: skip


@given(st.one_of(st.lists(PIECES, max_size=60).map("".join), st.text(max_size=200)))
def test_any_text_is_read_or_refused(text: str) -> None:
    require_bounded(text, parse_filter)
    require_bounded(text, read_formula)


OPERANDS = st.sampled_from(["won", "lost", "revenue", "kpi.calls", "1", "0", "headcount()", "target(kpi.revenue)"])
FORMULAS = st.recursive(
    OPERANDS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map("({0[0]} {0[1]} {0[2]})".format),
        st.tuples(st.sampled_from(["abs", "previous", "same_period_last_year", "-"]), inner).map(
            "{0[0]}({0[1]})".format
        ),
        st.tuples(st.sampled_from(["coalesce", "min", "max"]), inner, inner).map("{0[0]}({0[1]}, {0[2]})".format),
    ),
    max_leaves=30,
)


@given(FORMULAS)
def test_any_well_formed_formula_has_a_unit_or_says_why_not(text: str) -> None:
    require_bounded(text, read_formula)


@pytest.mark.parametrize(
    "name", ["NUL", "minuses", "SQL statement", "a long sum", "division by 0", "Cyrillic", "one number"]
)
async def test_over_http_it_is_a_problem_with_its_position(api: Api, name: str) -> None:
    body = {
        "key": "x", "name": "X", "category": "planning", "indicator": "lagging", "direction": "increase",
        "measures": {"won": {"aggregate": "count", "events": ["deal.won"], "where": HOSTILE[name]}},
        "formula": HOSTILE[name], "unit": {"kind": "count"},
    }  # fmt: skip
    problem = await api.post("/kpis", body, expect=422)
    errors = {error["pointer"]: error for error in problem["errors"]}
    assert set(errors) == {"/measures/won/where", "/formula"}
    assert all(isinstance(error["position"], int) for error in errors.values())
    told = await api.post("/kpis/validate", {key: body[key] for key in ("measures", "formula")}, expect=200)
    assert {error["pointer"] for error in told["errors"]} == set(errors)
