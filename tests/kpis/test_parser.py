"""The language's spelling, precedence, positions and limits."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kpis.expressions.checker import parse_filter
from app.kpis.expressions.parser import MAX_DEPTH, MAX_LENGTH, MAX_NODES, parse
from app.kpis.expressions.syntax import (
    Binary,
    Boolean,
    Call,
    Choices,
    ExpressionError,
    Name,
    Node,
    Number,
    Text,
    Unary,
    property_keys,
    to_text,
)
from app.kpis.expressions.vocabulary import WORDS


def grouped(text: str) -> str:
    """The expression with every operation in parentheses."""
    return _grouped(parse(text))


def _grouped(node: Node) -> str:
    match node:
        case Binary():
            return f"({_grouped(node.left)} {node.operator} {_grouped(node.right)})"
        case Unary():
            return f"({node.operator} {_grouped(node.operand)})"
    return to_text(node)


def error_of(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("a or b and c", "(a or (b and c))"),
        ("not a and b", "((not a) and b)"),
        ("not a == b", "(not (a == b))"),
        ("a == b + c * d", "(a == (b + (c * d)))"),
        ("a - b - c", "((a - b) - c)"),
        ("a / b * c", "((a / b) * c)"),
        ("-a * b", "((- a) * b)"),
        ("a * -b", "(a * (- b))"),
        ("- - a", "(- (- a))"),
        ("(a + b) * c", "((a + b) * c)"),
        ("a in ['x', 'y'] and b", "((a in ['x', 'y']) and b)"),
        ("a in ('x')", "(a in ['x'])"),
        ("won / (won + lost)", "(won / (won + lost))"),
    ],
)
def test_operators_bind_as_on_paper(text: str, meaning: str) -> None:
    assert grouped(text) == meaning


def test_constants_and_names_are_read_exactly() -> None:
    assert parse("0.10") == Number(Decimal("0.10"))
    assert parse(r"""'it\'s \\ \n "x"'""") == Text('it\'s \\ \n "x"')
    assert parse('"π 🚀"') == Text("π 🚀")
    assert parse("true") == Boolean(value=True)
    assert parse("properties['any key']") == Name(("properties", "any key"))
    assert parse("properties.in") == Name(("properties", "in"))
    assert parse("min(a, 1)") == Call("min", (Name(("a",)), Number(Decimal(1))))
    assert parse("a in [1, -2]") == Binary(
        "in", Name(("a",)), Choices((Number(Decimal(1)), Unary("-", Number(Decimal(2)))))
    )


def test_every_node_knows_where_it_stands() -> None:
    text = "a + (b - 'x')"
    tree = parse(text)
    assert isinstance(tree, Binary)
    assert text[tree.start : tree.end] == text
    assert text[tree.right.start : tree.right.end] == "(b - 'x')"


@pytest.mark.parametrize(
    ("text", "position", "length", "suggestion"),
    [
        ("", 0, 0, None),
        ("won +", 5, 0, None),
        ("won + * lost", 6, 1, None),
        ("amount = 5", 7, 1, "=="),
        ("a && b", 2, 2, "and"),
        ("a AND b", 2, 3, "and"),
        ("!a", 0, 1, "not"),
        ("a ≤ 5", 2, 1, "<="),
        ("(a + b", 6, 0, None),
        ("a + b)", 5, 1, None),
        ("a < b < c", 6, 1, None),
        ("a not in ['x']", 2, 3, None),
        ("a in b", 5, 1, None),
        ("a in []", 6, 1, None),
        ("type == 'deal.won", 8, 9, None),
        (r"'\d'", 1, 2, None),
        ("1e5", 1, 2, None),
        ("1.2.3", 3, 1, None),
        ("9**9", 2, 1, None),
        ("properties.", 11, 0, None),
        ("properties[key]", 11, 3, None),
        ("min(a b)", 6, 1, None),
        ("min(a,)", 6, 1, None),
    ],
)
def test_an_error_tells_where_and_what_was_meant(text: str, position: int, length: int, suggestion: str | None) -> None:
    error = error_of(text)
    assert (error.position, error.length, error.suggestion) == (position, length, suggestion)


@pytest.mark.parametrize(
    "text",
    [
        "amount\0",
        "'a\0b'",
        "'\ud800'",
        "\udfff",
        "a\x07",
        "'\x1b'",
        "'\x85'",
        "аmount == 1",
        "ａmount == 1",
        "a\u200b",
        "٣",
    ],
)
def test_nul_surrogates_control_characters_and_look_alikes_are_refused(text: str) -> None:
    error = error_of(text)
    assert "U+" in error.message
    error.message.encode()


def test_a_full_width_letter_suggests_the_plain_one() -> None:
    assert error_of("ａmount").suggestion == "a"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a" * (MAX_LENGTH + 1), "characters"),
        ("(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1), "nested"),
        ("-" * 1900 + "1", "nested"),
        ("not " * 400 + "a", "nested"),
        ("(" * 2000, "nested"),
        ("+".join("a" * (MAX_NODES // 2 + 1)), "parts"),
        ("a in [" + ",".join("1" * MAX_NODES) + "]", "parts"),
        ("1" * 35, "digits"),
    ],
)
def test_what_is_too_long_too_deep_or_too_large_is_refused(text: str, part: str) -> None:
    assert part in error_of(text).message


def test_a_long_chain_is_not_deep() -> None:
    chain = " or ".join("abcdefghij"[i % 10] for i in range(100))
    assert parse(to_text(parse(chain))) == parse(chain)


def test_golden_12s_filter_is_a_plain_negation() -> None:
    assert parse_filter("not (properties.channel == 'partner')") == Unary(
        "not", Binary("==", Name(("properties", "channel")), Text("partner"))
    )


def test_the_properties_of_a_filter_are_known() -> None:
    tree = parse_filter("properties.a == 1 and (has(properties['b c']) or nth(customer) == 1)")
    assert property_keys(tree) == {"a", "b c"}


names = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True).filter(lambda word: word not in WORDS)
texts = st.text(st.characters(exclude_categories=["Cc", "Cs"], include_characters="\n\t\r"), max_size=6)
leaves: st.SearchStrategy[Node] = st.one_of(
    st.decimals(0, 10**9, places=2).map(Number),
    texts.map(Text),
    st.booleans().map(lambda value: Boolean(value=value)),
    names.map(lambda name: Name((name,))),
    st.tuples(st.sampled_from(["properties", "about"]), texts).map(Name),
)


def larger(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    operators = st.sampled_from(["+", "-", "*", "/", "and", "or", "==", "!=", "<", "<=", ">", ">="])
    return st.one_of(
        st.builds(Binary, operators, nodes, nodes, st.just(0), st.just(0)),
        st.builds(Unary, st.sampled_from(["not", "-"]), nodes, st.just(0), st.just(0)),
        st.builds(Call, names, st.lists(nodes, max_size=3).map(tuple), st.just(0), st.just(0)),
        st.builds(
            lambda left, items: Binary("in", left, Choices(tuple(items))),
            nodes,
            st.lists(nodes, min_size=1, max_size=3),
        ),
    )


@given(st.recursive(leaves, larger, max_leaves=12))
@settings(max_examples=150, deadline=None)
def test_what_is_printed_parses_to_the_same_tree(tree: Node) -> None:
    assert parse(to_text(tree)) == tree


pieces = st.sampled_from(
    ["and", "or", "not", "in", "true", *"()[],.+-*/=<\"'\\ \0é", "==", "\ud800", "amount", "properties.x"]
).flatmap(lambda piece: st.sampled_from([piece, "about.deal", "customer", "nth", "has", "1", "0.5", "'a'"]))


@given(st.one_of(st.text(), st.text(st.characters()), st.lists(pieces, max_size=25).map(" ".join)))
@settings(max_examples=300, deadline=None)
def test_no_text_raises_anything_but_the_languages_error(text: str) -> None:
    tree, error = outcome(text)
    if error is None:
        assert tree is not None
        assert parse_filter(to_text(tree)) == tree
    else:
        assert 0 <= error.position <= len(text)
        assert 0 <= error.length <= max(len(text) - error.position, 1)
        error.message.encode()


def outcome(text: str) -> tuple[Node | None, ExpressionError | None]:
    try:
        return parse_filter(text), None
    except ExpressionError as error:
        return None, error
