"""The guide of KPIs says what is so, and its tables are the checker's own."""

import json
import re
from typing import Any

import pytest

from app.kpis.definition import ADDITIVE_AGGREGATES, Aggregate
from app.kpis.expressions.grammar import ebnf
from app.kpis.expressions.vocabulary import BINDING, FIELDS, FILTER_FUNCTIONS, FUNCTIONS, THINGS, WORDS
from app.kpis.wire.measures import AGGREGATES
from app.openapi import guide
from tests.support import Api

TEXT = guide("kpis")
MEASURES = [json.loads(found) for found in re.findall(r"```json measure\n(.*?)```", TEXT, re.DOTALL)]


def test_the_guide_shows_every_way_to_measure() -> None:
    shown = {kind for measure in MEASURES for kind in AGGREGATES if kind in measure}
    assert shown == set(AGGREGATES)
    for kind, aggregates in AGGREGATES.items():
        row = next(line for line in TEXT.splitlines() if line.startswith(f"| `{kind}` |"))
        told = set(re.findall(r"`(\w+)`", row.split("|")[2]))
        assert told == set(aggregates)
    assert set(Aggregate) > ADDITIVE_AGGREGATES


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure["aggregate"])
async def test_every_measure_of_the_guide_is_taken(api: Api, measure: dict[str, Any]) -> None:
    told = await api.post("/kpis/validate", {"measures": {"m": measure}, "formula": "m"}, expect=200)
    assert told["errors"] == []


def test_the_tables_are_made_from_the_language_itself() -> None:
    assert "{{" not in TEXT
    for name in (*FIELDS, *THINGS, *WORDS - {"true", "false"}, *BINDING):
        assert f"| `{name}` |" in TEXT
    for function in FUNCTIONS.values():
        assert f"| `{function.signature}` | {function.about} |" in TEXT
    assert ebnf("filter") in TEXT
    assert ebnf("formula") in TEXT


def test_the_grammar_names_every_sign_and_defines_every_rule() -> None:
    whole = ebnf("filter") + ebnf("formula")
    assert all(f'"{symbol}"' in whole for symbol in (*BINDING, *FILTER_FUNCTIONS, *WORDS))
    for rules in (ebnf("filter"), ebnf("formula")):
        defined = set(re.findall(r"^(\w+) +=", rules, re.MULTILINE))
        used = set(re.findall(r"\b[a-z]{3,}\b", re.sub(r'"[^"]*"|\'[^\']*\'', "", rules)))
        assert used - defined <= {"digit", "character", "field", "function"}


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure["aggregate"])
async def test_every_kind_of_measure_is_read_back_as_it_was_written(api: Api, measure: dict[str, Any]) -> None:
    definition = {"measures": {"m": measure}, "formula": "m", "direction": "increase"}
    told = await api.post("/kpis/validate", definition, expect=200)
    body = {**definition, "unit": {"kind": told["unit"].split()[-1]}}
    described = {"key": "k", "name": "K", "category": "planning", "indicator": "lagging"}
    made = await api.post("/kpis", {**body, **described}, expect=201)
    shown = made["measures"]["m"]
    assert _without_nulls(shown) == _with_defaults(measure)
    again = await api.post("/kpis/k/versions", {**body, "measures": {"m": shown}}, expect=201)
    assert again["measures"] == made["measures"]


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(part) for name, part in value.items() if part is not None}
    return [_without_nulls(part) for part in value] if isinstance(value, list) else value


def _with_defaults(measure: dict[str, Any]) -> dict[str, Any]:
    defaults: dict[str, dict[str, Any]] = {
        "elapsed": {"repeat": "first", "dated_by": "start", "credited_to": "end", "clock": "wall"},
        "funnel": {"skipped": "counts_as_passed"},
        "open_at": {"at": "end", "repeat": "first"},
    }
    completed = {name: {**defaults[name], **part} if name in defaults else part for name, part in measure.items()}
    return {"role": "owner", "credit": "split", **completed}
