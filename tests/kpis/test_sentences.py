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
            "The number of different values of customer in deals won (deal.won) where the event is the first of its "
            "type about the same customer.",
        ),
        (
            {"aggregate": "median", "elapsed": {**LEAD_TO_CALL, "clock": "working_hours", "repeat": "each"}},
            "The median of the working time from leads created (lead.created) to the next of calls made (call.made), "
            "about the same lead, with every start counted, not only the first.",
        ),
        (
            {"aggregate": "share_within", "within": "PT1H30M", "elapsed": LEAD_TO_CALL},
            "The share of leads created (lead.created) that were followed within 1 hour and 30 minutes, about the "
            "same lead, by calls made (call.made).",
        ),
        (
            {"aggregate": "conversion", "within": "P90D", "conversion": LEAD_TO_CALL},
            "The share of leads created (lead.created), the first of each lead, that were later followed by calls made "
            "(call.made), within 90 days.",
        ),
        (
            {"aggregate": "share_done", "cadence": {"anchor": events("lead.created"), "match": "lead",
             "steps": [{**events("call.made"), "by": "P1D"}, {**events("email.sent"), "by": "P2D"}]}},
            "The share of agreed steps done in time for each lead after the first of leads created (lead.created): "
            "calls made (call.made) within 1 day, e-mails sent (email.sent) within 2 days.",
        ),
        (
            {"aggregate": "sum", "value": "amount",
             "open_at": {"from": events("deal.created"), "to": events("deal.won", "deal.lost"), "match": "deal"}},
            "The sum of the latest amount of all deals open at the end of the window: begun by deals opened "
            "(deal.created) and not yet ended by deals won (deal.won) or deals lost (deal.lost).",
        ),
        (
            {"aggregate": "count",
             "open_at": {"from": events("test.begun"), "to": events("test.ended"), "match": "vehicle",
                         "repeat": "each"}},
            "The number of things (vehicle) open at the end of the window: begun by test.begun and not yet ended by "
            "test.ended, a later start opening them again.",
        ),
        (
            {"aggregate": "count", **events("feedback.received", where="not has(properties.score)"), "credit": "full"},
            "The number of pieces of feedback received (feedback.received) whose score is not given, counted in full "
            "for everybody credited.",
        ),
        (
            {"aggregate": "covered", **events("meeting.held")},
            "The time covered by meetings held (meeting.held), counted once for each person.",
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
        ("previous(won) - won", "(“won” in the window before) minus “won”, where"),
        ("coalesce(won, 0)", "“won”, or 0 where that has no data, where"),
        ("kpi.calls / headcount()", "The KPI “Calls made” divided by the number of people in scope, where"),
        ("target(kpi.other)", "The target of the KPI “other”, where"),
        (
            "round(-won / fte(), 2)",
            "((Minus “won”) divided by the full-time equivalents of the people in scope) rounded",
        ),
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
        ("not (properties.channel == 'partner')", "whose channel is not 'partner' (or is not given)"),
        ("has(deal) and amount >= 1000.5", "whose deal is given and amount is at least 1000.5"),
        ("amount > 1 or quantity < 2 and amount < 3", "whose amount is greater than 1 or (quantity is less than 2 and"),
        ("properties['Deal size'] in ['a', 'b', 'c']", "whose “Deal size” is 'a', 'b' or 'c'"),
        ("not (amount > 1)", "where it is not so that amount is greater than 1"),
        ("nth(customer) > 1", "where the event is not the first of its type about the same customer"),
        ("nth(deal) <= 3", "where the place among all events of the same type about the same deal is at most 3"),
        ("properties.vip != true", "whose vip is something other than yes"),
        ("amount / quantity - 1 > 2", "where ((amount divided by quantity) minus 1) is greater than 2"),
    ],
)
def test_a_filter_is_told_faithfully(where: str, words: str) -> None:
    assert words in told({"aggregate": "count", **events("deal.won", where=where)})


@pytest.mark.parametrize(
    ("p", "words"),
    [
        ("0.01", "The 1st percentile"), ("0.02", "The 2nd percentile"), ("0.03", "The 3rd percentile"),
        ("0.11", "The 11th percentile"), ("0.12", "The 12th percentile"), ("0.13", "The 13th percentile"),
        ("0.22", "The 22nd percentile"), ("0.5", "The 50th percentile"), ("0.90", "The 90th percentile"),
        ("0.999", "The 99.9th percentile"),
    ],
)  # fmt: skip
def test_percentiles_have_their_ordinals(p: str, words: str) -> None:
    measure = {"aggregate": "percentile", "p": p, "value": "amount", **events("deal.won")}
    assert told(measure) == f"{words} of the amount of deals won (deal.won)."


def test_percentiles_are_told_as_each_language_does() -> None:
    measure = {"aggregate": "percentile", "p": "0.999", "value": "amount", **events("deal.won")}
    assert told(measure, "pl").startswith("99,9. percentyl wartości (kwota) w zdarzeniach: ")
    assert told(measure, "zh-Hans") == "赢单的商机（deal.won）的金额的第 99.9 百分位数。"
    assert told(measure, "zh-Hant") == "贏單的商機（deal.won）的金額的第 99.9 百分位數。"


def test_full_credit_is_not_told_as_a_whole_number() -> None:
    measure = {"aggregate": "count", **events("deal.won"), "credit": "full"}
    assert "全额计入" in told(measure, "zh-Hans")
    assert "全額計入" in told(measure, "zh-Hant")
    for language in SPOKEN:
        assert "整" not in told(measure, language)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("headcount() / previous(headcount())",
         "Liczba osób w wybranym zakresie ÷ (liczba osób w wybranym zakresie w poprzednim okresie), gdzie"),
        ("kpi.calls / headcount()", "KPI „Calls made” ÷ liczba osób w wybranym zakresie, gdzie"),
        ("won / working_hours()", "„won” ÷ czas pracy osób w wybranym zakresie, gdzie"),
        ("0.5 * won - target(kpi.calls)", "(0,5 × „won”) − cel dla KPI „Calls made”, gdzie"),
        ("won / (won + headcount())", "„won” jako część sumy („won” + liczba osób w wybranym zakresie), gdzie"),
        ("fte() + -won", "Liczba pełnych etatów osób w wybranym zakresie + (−„won”), gdzie"),
    ],
)  # fmt: skip
def test_polish_formulas_need_no_cases(text: str, words: str) -> None:
    assert formula(text, "pl").startswith(words)


@pytest.mark.parametrize(
    ("measure", "text"),
    [
        (
            {"aggregate": "sum", "value": "amount", **events("deal.won", where="not (properties.vip == true)"),
             "over": "P12M"},
            "Suma wartości (kwota) w zdarzeniach: wygrane szanse sprzedaży (deal.won), dla których vip ≠ tak (lub brak "
            "wartości), w ciągu 12 mies. do końca okresu.",
        ),
        (
            {"aggregate": "median", "elapsed": LEAD_TO_CALL},
            "Mediana czasu od zdarzenia (utworzone leady (lead.created)) do pierwszego późniejszego zdarzenia "
            "(wykonane połączenia (call.made)) dotyczącego tego samego obiektu (lead).",
        ),
        (
            {"aggregate": "conversion", "within": "P1D", "conversion": LEAD_TO_CALL},
            "Odsetek obiektów (lead), które po pierwszym zdarzeniu (utworzone leady (lead.created)) miały później "
            "zdarzenie (wykonane połączenia (call.made)), w ciągu 1 dnia.",
        ),
        (
            {"aggregate": "count", **events("deal.won", where="nth(customer) == 1 and amount >= 0.5")},
            "Liczba zdarzeń: wygrane szanse sprzedaży (deal.won), gdzie zdarzenie jest pierwszym tego typu dotyczącym "
            "tego samego obiektu (klient) oraz kwota wynosi co najmniej 0,5.",
        ),
    ],
)  # fmt: skip
def test_a_measure_is_told_in_polish_that_declines(measure: dict[str, Any], text: str) -> None:
    assert told(measure, "pl") == text


def test_chinese_has_spaces_only_beside_latin_letters_and_digits() -> None:
    where = "properties.vip == true and nth(customer) > 1 and not (currency in ['EUR', 'USD'])"
    assert told({"aggregate": "count", **events("deal.won", "x.y", where=where)}, "zh-Hans") == (
        "满足“vip 为‘是’且不是同一客户的首个同类事件且（并非币种为 'EUR' 或 'USD'）”的"
        "赢单的商机（deal.won）或 x.y 的数量。"
    )
    assert formula("2 * won / headcount()", "zh-Hant").startswith("（2 乘以「won」）除以範圍內人數，其中「won」為")
    assert formula("max(won, 1)", "zh-Hans").startswith("“won”和 1 中的最大值，其中")
    touches = {"anchor": events("lead.created"), "events": events("call.made"), "match": "lead",
               "until": events("deal.won")}  # fmt: skip
    text = told({"aggregate": "sum", "within": "P30D", "touches": touches}, "zh-Hans")
    assert text.endswith("的总和，限 30 天内，直到出现赢单的商机（deal.won）。")


@pytest.mark.parametrize("language", SPOKEN)
def test_no_sentence_of_the_library_stumbles(language: Language) -> None:
    for entry in LIBRARY.values():
        text = sentence(definition_of(entry), language, {})
        for stumble in ("  ", " ,", " .", "的的", "）的）", "podzielone", "{", "it is not so that", "nie jest prawdą"):
            assert stumble not in text, (entry.key, stumble)


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
