"""Definitions explained in a sentence."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.units import NUMBER
from app.events.catalogue import CATALOGUE
from app.kpis.definition import Definition, looks
from app.kpis.expressions.parser import parse
from app.kpis.expressions.vocabulary import FIELDS, FORMULA_FUNCTIONS, OPERATORS, THINGS
from app.kpis.library.catalogue import LIBRARY
from app.kpis.library.service import definition_of
from app.kpis.sentences import LANGUAGES, Language, preferred, sentence
from app.kpis.wire import read_definition
from tests.support import Api

SPOKEN = list(LANGUAGES)


def events(*types: str, **more: str) -> dict[str, Any]:
    return {"events": list(types), **more}


def defined(formula: str, measures: Any) -> Definition:
    """Of whatever unit: sentences do not tell it."""
    read = {
        name: read_definition({"measures": {name: measure}, "formula": name, "direction": "increase"}).measures[name]
        for name, measure in measures.items()
    }
    return Definition(measures=read, formula=parse(formula), unit=NUMBER, direction="increase")


def told(measure: dict[str, Any], language: Language = "en") -> str:
    return sentence(defined("m", {"m": measure}), language, {})


def formula(text: str, language: Language = "en", **measures: Any) -> str:
    whole = measures or {"won": {"aggregate": "count", "events": ["deal.won"]}}
    return sentence(defined(text, whole), language, {"calls": "Calls made"})


LEAD_TO_CALL = {"from": events("lead.created"), "to": events("call.made"), "match": "lead"}


@pytest.mark.parametrize(
    ("measure", "text"),
    [
        (
            {"aggregate": "count", **events("deal.won", where="properties.channel == 'partner'")},
            "The number of deals won (deal.won) whose channel is 'partner'.",
        ),
        (
            {"aggregate": "sum", "value": "amount", **events("deal.won", "x.y"), "over": "P12M", "role": "sourcer"},
            "The sum of the amount of deals won (deal.won) or x.y, over the 12 months up to the end of the window, "
            "by credits in the role “sourcer”.",
        ),
        (
            {"aggregate": "count_distinct", "of": "customer", **events("deal.won", where="nth(customer) == 1")},
            "How many different values of customer occur in deals won (deal.won) for which the place among all events "
            "of the same type and the same customer is 1.",
        ),
        (
            {"aggregate": "median", "elapsed": {**LEAD_TO_CALL, "clock": "working_hours", "repeat": "each"}},
            "The median of the working time from leads created (lead.created) to the first later one of calls made "
            "(call.made) about the same lead, with every start counted, not only the first.",
        ),
        (
            {"aggregate": "share_within", "within": "PT1H30M", "elapsed": LEAD_TO_CALL},
            "The share of leads created (lead.created) that were followed by calls made (call.made) about the same "
            "lead within 1 hour and 30 minutes.",
        ),
        (
            {"aggregate": "conversion", "within": "P90D", "conversion": LEAD_TO_CALL},
            "The share of leads created (lead.created) (the first of each lead) that were later followed by calls made "
            "(call.made), within 90 days.",
        ),
        (
            {"aggregate": "share_done", "cadence": {"anchor": events("lead.created"), "match": "lead",
             "steps": [{**events("call.made"), "by": "P1D"}, {**events("email.sent"), "by": "P2D"}]}},
            "The share of agreed steps done in time for each lead after its first of leads created (lead.created): "
            "calls made (call.made) within 1 day, e-mails sent (email.sent) within 2 days.",
        ),
        (
            {"aggregate": "sum", "value": "amount",
             "open_at": {"from": events("deal.created"), "to": events("deal.won", "deal.lost"), "match": "deal"}},
            "The sum of the latest amount of all things (deal) open at the end of the window: begun by deals opened "
            "(deal.created) and not yet ended by deals won (deal.won) or deals lost (deal.lost).",
        ),
    ],
)  # fmt: skip
def test_a_measure_is_told_in_plain_english(measure: dict[str, Any], text: str) -> None:
    assert told(measure) == text


def test_a_win_rate_is_a_share_among_what_was_closed() -> None:
    won, lost = ({"aggregate": "count", "events": [f"deal.{end}"]} for end in ("won", "lost"))
    text = "The share of deals won (deal.won) among deals won (deal.won) or deals lost (deal.lost)."
    assert formula("won / (won + lost)", won=won, lost=lost) == text
    full = {**lost, "credit": "full"}
    assert "“lost” is the number of" in formula("won / (won + lost)", won=won, lost=full)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2 * won", "2 times “won”, where “won” is the number of deals won (deal.won)."),
        ("previous(won) - won", "(“won” of the window before) minus “won”, where"),
        ("coalesce(won, 0)", "“won”, or 0 where that has no data, where"),
        ("kpi.calls / headcount()", "The KPI “Calls made” divided by the number of people in scope, where"),
        ("target(kpi.other)", "The target of the KPI “other”, where"),
        ("round(-won / fte(), 2)", "((Minus “won”) divided by the people in scope by their part of full time) rounded"),
        ("(won + 1) / headcount() - kpi.x", "((“won” plus 1) divided by"),
        ("kpi.x / won - 1", "(The KPI “x” divided by “won”) minus 1, where"),
        ("won - (won - 1)", "“won” minus (“won” minus 1), where"),
    ],
)
def test_a_formula_is_told_with_its_brackets(text: str, words: str) -> None:
    assert formula(text).startswith(words)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("not (properties.channel == 'partner')", "for which it is not so that channel is 'partner'"),
        ("has(deal) and amount >= 1000.5", "whose deal is given and amount is at least 1000.5"),
        ("amount > 1 or quantity < 2 and amount < 3", "whose amount is greater than 1 or (quantity is less than 2 and"),
        ("properties['Deal size'] in ['a', 'b', 'c']", "whose “Deal size” is 'a', 'b' or 'c'"),
        ("properties.vip != true", "whose vip is something other than yes"),
        ("amount / quantity - 1 > 2", "for which ((amount divided by quantity) minus 1) is greater than 2"),
    ],
)
def test_a_filter_is_told_faithfully(where: str, words: str) -> None:
    assert words in told({"aggregate": "count", **events("deal.won", where=where)})


@pytest.mark.parametrize("language", SPOKEN)
def test_every_kpi_of_the_library_is_told(language: Language) -> None:
    for entry in LIBRARY.values():
        definition = definition_of(entry)
        _tells_everything(sentence(definition, language, {}), definition)


CONDITIONS = st.sampled_from(
    ["amount > 1", "has(deal)", "nth(customer) == 1", "properties.a == 'x{y}'", "properties['b c'] != 2.50",
     "type == 'a.b'", "currency in ['EUR', 'USD']", "-quantity <= 3", "properties.v == true",
     "amount * 2 < amount_original / 3 - 1"]
)  # fmt: skip
FILTERS = st.recursive(
    CONDITIONS,
    lambda inner: st.one_of(
        inner.map("not ({})".format),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map("({0[0]}) {0[1]} ({0[2]})".format),
    ),
    max_leaves=5,
)
TYPES = st.lists(st.sampled_from([*CATALOGUE, "visit.paid", "x.y.z"]), min_size=1, max_size=3, unique=True)
SELECTIONS = st.fixed_dictionaries({"events": TYPES}, optional={"where": FILTERS})
LIMITS = st.sampled_from(["PT5M", "P1D", "P2DT3H4M5S", "P12W"])
OVER = st.sampled_from(["P90D", "P1D", "P12M", "week_to_date", "fiscal_year_to_date"])
CREDITS: dict[str, st.SearchStrategy[Any]] = {
    "role": st.sampled_from(["owner", "sourcer"]),
    "credit": st.sampled_from(["split", "full"]),
}


def either(aggregates: dict[str, dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.sampled_from([{"aggregate": name, **more} for name, more in aggregates.items()])


def of(statistics: st.SearchStrategy[dict[str, Any]], **parts: Any) -> st.SearchStrategy[dict[str, Any]]:
    optional = {**CREDITS} | ({} if "open_at" in parts else {"over": OVER})
    kinds = st.fixed_dictionaries(parts, optional=optional)
    return st.tuples(statistics, kinds).map(lambda pair: pair[0] | pair[1])


def shape(*, optional: dict[str, Any] | None = None, **parts: Any) -> st.SearchStrategy[dict[str, Any]]:
    pairs: dict[str, Any] = {name.rstrip("_"): part for name, part in parts.items()}
    match = st.sampled_from(["lead", "vehicle"])
    return st.fixed_dictionaries({"match": match, **pairs}, optional=optional or {})


EACH = st.sampled_from(["first", "each"])
SIDE = st.sampled_from(["start", "end"])
NUMBERS: dict[str, dict[str, Any]] = {"avg": {}, "min": {}, "max": {}, "median": {}, "percentile": {"p": "0.9"}}
OF_VALUES = {name: {**more, "value": "properties['the value']"} for name, more in NUMBERS.items()}
MEASURES = st.one_of(
    of(
        either({"count": {}, "covered": {}, "count_distinct": {"of": "customer"}, **OF_VALUES,
                "sum": {"value": "amount"},
                "first": {"value": "quantity"}, "last": {"value": "duration_seconds"}}),
        events=TYPES, where=st.none() | FILTERS,
    ),
    of(
        either({"count": {}, **NUMBERS, "share_within": {"within": "PT5M"}}),
        elapsed=shape(from_=SELECTIONS, to=SELECTIONS, optional={
            "repeat": EACH, "credited_to": SIDE, "clock": st.sampled_from(["wall", "working_hours"])}),
    ),
    of(
        either({"count": {}, "conversion": {}}),
        conversion=shape(from_=SELECTIONS, to=SELECTIONS), within=st.none() | LIMITS,
    ),
    of(
        either({"count": {}, "conversion": {}}),
        funnel=shape(
            steps=st.lists(SELECTIONS, min_size=2, max_size=4).map(
                lambda steps: [{**step, "name": f"s{n}"} for n, step in enumerate(steps)]),
            optional={"skipped": st.sampled_from(["strict", "counts_as_passed"]), "reached": st.just("s1")},
        ),
    ),
    of(
        either({"count": {}, "sum": {}, **NUMBERS, "share_at_least": {"at_least": 5}}),
        touches=shape(anchor=SELECTIONS, events=SELECTIONS, optional={"until": SELECTIONS}), within=LIMITS,
    ),
    of(
        either({"share_done": {}}),
        cadence=shape(anchor=SELECTIONS, steps=st.lists(
            st.tuples(SELECTIONS, LIMITS).map(lambda pair: {**pair[0], "by": pair[1]}), min_size=1, max_size=3)),
    ),
    of(
        either({"count": {}, "sum": {"value": "amount"}}),
        open_at=shape(from_=SELECTIONS, to=st.just(events("thing.closed")), optional={"at": SIDE, "repeat": EACH}),
    ),
)  # fmt: skip
FORMULAS = st.sampled_from(
    ["a", "a / b", "a / (a + b)", "round(max(a, -b), 2)", "coalesce(previous(a), same_period_last_year(b))",
     "min(a, b)", "kpi.x * a - target(kpi.y) / b", "abs(a) / working_hours() + headcount() * fte()"]
)  # fmt: skip


@given(st.fixed_dictionaries({"a": MEASURES, "b": MEASURES}), FORMULAS)
def test_any_definition_is_told_in_every_language(measures: Any, text: str) -> None:
    definition = defined(text, measures)
    for language in SPOKEN:
        _tells_everything(sentence(definition, language, {"x": "X {x}"}), definition)


def _tells_everything(text: str, definition: Definition) -> None:
    assert text.endswith((".", "。"))
    for measure in definition.measures.values():
        for look in looks(measure):
            assert all(each in text for each in (*look.events, *look.properties))


def test_every_language_has_words_for_everything() -> None:
    for phrases in LANGUAGES.values():
        assert phrases.types.keys() == CATALOGUE.keys()
        assert phrases.fields.keys() == FIELDS.keys()
        assert phrases.things.keys() == set(THINGS)
        assert phrases.functions.keys() == set(FORMULA_FUNCTIONS)
        told_symbols = {*phrases.comparisons, *phrases.arithmetic, "and", "or", "in"}
        assert told_symbols == {operator.symbol for operator in OPERATORS}


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"), ("", "en"), ("pl", "pl"), ("pl-PL,en;q=0.8", "pl"), ("en;q=0.5, zh-CN", "zh-Hans"),
        ("zh", "zh-Hans"),
        ("zh-TW", "zh-Hant"), ("zh-Hant-HK", "zh-Hant"), ("zh-Hans-TW", "zh-Hans"), ("de, fr", "en"),
        ("de, PL;q=0.1", "pl"),
        ("pl;q=0", "en"), ("pl;q=x, zh-tw;q=0.1", "zh-Hant"), (",;,;q=,", "en"), ("*", "en"), ("pl" * 9999, "en"),
    ],
)  # fmt: skip
def test_the_language_is_the_readers_own_where_it_is_spoken(header: str | None, language: str) -> None:
    assert preferred(header) == language


async def test_a_kpi_is_told_in_the_language_that_is_asked_for(api: Api) -> None:
    body = {
        "key": "won", "name": "Won", "category": "sales_results", "indicator": "lagging", "direction": "increase",
        "measures": {"won": {"aggregate": "count", "events": ["deal.won"]}}, "formula": "won",
        "unit": {"kind": "count"},
    }  # fmt: skip
    await api.post("/kpis", body, expect=201)
    await api.post("/kpis", {**body, "key": "twice", "formula": "2 * kpi.won"}, expect=201)
    assert await api.get("/kpis/won/sentence") == {
        "definition_version": 1,
        "language": "en",
        "sentence": "The number of deals won (deal.won).",
    }
    assert (await api.get("/kpis/won/sentence", language="zh-Hant"))["sentence"] == "贏單的商機（deal.won）的數量。"
    answer = await api.call("GET", "/kpis/won/sentence", headers={"Accept-Language": "pl"}, expect=200)
    assert answer.json()["sentence"] == "Liczba zdarzeń: wygrane szanse sprzedaży (deal.won)."
    assert (await api.get("/kpis/twice/sentence"))["sentence"].startswith("2 times the KPI “Won”, where")
    await api.get("/kpis/won/sentence", language="de", expect=422)
    await api.get("/kpis/nope/sentence", expect=404)
    told_all = await api.post("/kpis/validate", {"measures": body["measures"], "formula": "won"}, expect=200)
    assert set(told_all["sentences"]) == {"en", "pl", "zh-Hans", "zh-Hant"}
    assert told_all["sentences"]["en"] == "The number of deals won (deal.won)."
    broken = await api.post("/kpis/validate", {"measures": body["measures"], "formula": "won +"}, expect=200)
    assert broken["sentences"] is None
