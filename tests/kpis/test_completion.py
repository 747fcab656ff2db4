"""What an editor of filters and formulas offers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kpis.expressions.places import place
from tests.support import Api, World


@pytest.mark.parametrize(
    ("text", "wanted", "prefix", "name"),
    [
        ("|", "operand", "", ()),
        ("am|", "operand", "am", ()),
        ("amount |", "operator", "", ()),
        ("amount > 5 a|", "operator", "a", ()),
        ("amount > 5 and |", "operand", "", ()),
        ("not |", "operand", "", ()),
        ("amount > |", "value", "", ("amount",)),
        ("properties.|", "property", "", ()),
        ("properties.ch|annel == 'x'", "property", "ch", ()),
        ("properties['Deal s|", "property", "Deal s", ()),
        ("properties.channel == |", "value", "", ("properties", "channel")),
        ("properties.channel == 'par|", "value", "par", ("properties", "channel")),
        ("properties['Deal size'] != \"|", "value", "", ("properties", "Deal size")),
        ("properties.channel in ['a', '|", "value", "", ("properties", "channel")),
        ("properties.channel in ('a', |", "value", "", ("properties", "channel")),
        ("type == 'deal|", "value", "deal", ("type",)),
        ("has(|", "name", "", ()),
        ("nth(cu|", "thing", "cu", ()),
        ("about.d|", "about", "d", ()),
        ("won / (won + lo|", "operand", "lo", ()),
        ("kpi.re|", "kpi", "re", ()),
        ("kpi['re|", "kpi", "re", ()),
        ("target(k|", "kpi", "k", ()),
        ("max(won, |", "operand", "", ()),
        ("12|", "nothing", "", ()),
        ("deal.|", "nothing", "", ()),
        ("'loose |", "nothing", "loose ", ()),
        ("'closed' |", "operator", "", ()),
        ("true |", "operator", "", ()),
    ],
)
def test_a_position_tells_what_is_wanted(text: str, wanted: str, prefix: str, name: tuple[str, ...]) -> None:
    here = place(text.replace("|", ""), text.index("|"))
    assert (here.wanted, here.prefix, here.name) == (wanted, prefix, name)


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        ("am|ount > 1", "amount"),
        ("properties.ch|annel == 1", "properties.channel"),
        ("properties['a|", "properties['a"),
        ("properties.x == 'pa|'", "'pa'"),
        ("amount |", ""),
    ],
)
def test_what_was_begun_is_replaced_whole(text: str, replaced: str) -> None:
    bare = text.replace("|", "")
    here = place(bare, text.index("|"))
    assert bare[here.start : here.end] == replaced


PIECES = st.sampled_from(
    ["properties", "about", "kpi", ".", "[", "]", "(", ")", "'", '"', "\\", "in", "not", "and", "==", ">", ",", " ",
     "x", "has(", "nth(", "12", "-", "\u202e", "\x00", "é", "‘", "true", "/*", "; DROP TABLE event"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=40).map("".join), st.floats(0, 1))
def test_any_text_has_places(text: str, share: float) -> None:
    position = int(len(text) * share)
    here = place(text, position)
    assert 0 <= here.start <= position <= here.end <= len(text)


@pytest.fixture
async def api(world: World) -> Api:
    caller = await world.organization()
    events = [
        {"external_id": f"e{n}", "type": "deal.won", "occurred_at": "2026-07-01T08:00:00Z", "properties": properties}
        for n, properties in enumerate(
            [{"channel": "partner"}, {"channel": "partner", "Deal size": 3}, {"channel": "it's", "vip": True}]
        )
    ]
    lost = {**events[0], "external_id": "l", "type": "deal.lost", "properties": {"reason": "price"}}
    await caller.post("/events/batch", {"events": [*events, lost]})
    return caller


async def offered(api: Api, text: str, **more: Any) -> list[str]:
    body = {"text": text.replace("|", ""), "position": text.index("|"), "language": "filter", **more}
    answer = await api.post("/kpis/complete", body, expect=200)
    assert set(answer) == {"from", "to", "items"}
    return [item["insert"] for item in answer["items"]]


async def test_a_filter_is_offered_what_events_have(api: Api) -> None:
    offers = await offered(api, "|")
    assert {"amount", "deal", "properties.channel", "properties['Deal size']", "has(", "not"} <= set(offers)
    assert await offered(api, "ch|") == ["properties.channel"]
    assert await offered(api, "properties.|", events=["deal.lost"]) == ["properties.reason"]
    assert await offered(api, "properties['D|") == ["properties['Deal size']"]
    assert await offered(api, "am|") == ["amount", "amount_original"]
    assert await offered(api, "nth(c|") == ["company", "contact", "customer"]
    assert await offered(api, "amount >= 5 a|") == ["and"]


async def test_values_are_offered_where_a_property_is_compared(api: Api) -> None:
    assert await offered(api, "properties.channel == |") == ["'partner'", "'it\\'s'", "true", "false"]
    assert await offered(api, "properties.channel == 'pa|'") == ["'partner'"]
    assert await offered(api, "properties.channel in ['partner', 'I|") == ["'it\\'s'"]
    assert await offered(api, "properties['Deal size'] > |") == ["3", "true", "false"]
    assert await offered(api, "properties.channel == |", events=["deal.lost"]) == ["true", "false"]
    assert await offered(api, "type == 'deal.w|") == ["'deal.won'"]
    assert await offered(api, "type in [|", events=["deal.won"]) == ["'deal.won'"]
    assert "'api'" in await offered(api, "source == |")


async def test_a_formula_is_offered_measures_functions_and_kpis(api: Api) -> None:
    formula: dict[str, Any] = {"language": "formula"}
    offers = await offered(api, "|", **formula, measures=["won", "lost"])
    assert offers[:2] == ["won", "lost"]
    assert {"coalesce(", "headcount()"} <= set(offers)
    half_done = {"won": {}, "lost": {"aggregate": "cou"}}
    assert await offered(api, "won / (won + lo|", **formula, measures=half_done) == ["lost"]
    assert await offered(api, "won |", **formula) == ["+", "-", "*", "/"]
    won = {"won": {"aggregate": "count", "events": ["deal.won"]}}
    body = {"name": "K", "category": "planning", "indicator": "lagging", "direction": "increase", "measures": won}
    for key, text in (("deals", "won"), ("double", "2 * kpi.deals"), ("old", "won")):
        await api.post("/kpis", {**body, "key": key, "formula": text, "unit": {"kind": "count"}}, expect=201)
    await api.delete("/kpis/old")
    assert await offered(api, "kpi.|", **formula) == ["kpi.deals", "kpi.double"]
    assert await offered(api, "target(kpi.do|", **formula) == ["kpi.double"]
    assert await offered(api, "kp|", **formula, kpi="double") == ["kpi.deals"]
    assert await offered(api, "kpi.|", **formula, kpi="deals") == []


@pytest.mark.parametrize(
    "text",
    [
        "properties['\x00", "properties.x == '\x00", "'", "\\", "((((", "properties.", "in in in", "kpi['", "\u202ea",
        "properties['%'] == '%", "properties.channel == '; DROP TABLE event; --", "(" * 2000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("language", ["filter", "formula"])
async def test_broken_text_is_completed_or_not_but_never_an_error(api: Api, text: str, language: str) -> None:
    for position in {0, len(text) // 2, len(text)}:
        body = {"text": text, "position": position, "language": language}
        answer = await api.post("/kpis/complete", body, expect=200)
        assert answer["from"] <= position <= answer["to"]


async def test_a_position_outside_the_text_is_refused(api: Api) -> None:
    for position in (4, -1):
        body = {"text": "won", "position": position, "language": "formula"}
        problem = await api.post("/kpis/complete", body, expect=422)
        assert problem["errors"][0]["pointer"] == "/position"
    await api.post("/kpis/complete", {"text": "x" * 2001, "position": 0, "language": "filter"}, expect=422)


async def test_another_organizations_data_is_not_offered(api: Api) -> None:
    stranger = await api.world.organization()
    assert await offered(stranger, "properties.|") == []
    assert await offered(stranger, "properties.channel == 'p|") == []


async def test_text_that_is_no_unicode_is_refused(api: Api) -> None:
    body = '{"text": "properties.x == \'\\ud800", "position": 17, "language": "filter"}'
    answer = await api.call("POST", "/kpis/complete", body)
    assert answer.status_code in {400, 422}


@pytest.mark.parametrize(
    "text", ["target(", "target(k", "target(kpi", "target(kpi.", "round(target(calls", "previous(k"]
)
async def test_the_kpi_that_a_target_is_of_is_completed_from_its_first_letter(api: Api, text: str) -> None:
    kpi = {
        "key": "calls", "name": "Calls", "category": "team_performance", "indicator": "leading",
        "direction": "increase", "unit": {"kind": "count"}, "formula": "made",
        "measures": {"made": {"aggregate": "count", "events": ["call.made"]}},
    }  # fmt: skip
    await api.post("/kpis", kpi, expect=201)
    asked = {"text": text, "position": len(text), "language": "formula"}
    answer = await api.post("/kpis/complete", asked, expect=200)
    assert "kpi.calls" in [item["insert"] for item in answer["items"]]
