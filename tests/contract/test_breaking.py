"""A break of what was published is meant, or it is a mistake: `openapi/CHANGELOG.md` tells which."""

import copy
import json
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.breaking import breaking
from tests.contract.document import COMMITTED, DOCUMENT, JSON

Change = Callable[[dict[str, Any]], object]
_ROOT = COMMITTED.parents[1]


def _schema(document: dict[str, Any], name: str) -> dict[str, Any]:
    schema: dict[str, Any] = document["components"]["schemas"][name]
    return schema


def _team(document: dict[str, Any], method: str) -> dict[str, Any]:
    operation: dict[str, Any] = document["paths"]["/v1/teams/{team_id}"][method]
    return operation


BREAKS: dict[str, Change] = {
    "operation removed": lambda d: d["paths"].pop("/v1/teams"),
    "operationId updateTeam is now changeTeam": lambda d: _team(d, "patch").update(operationId="changeTeam"),
    "needs the scope goals:write": lambda d: _team(d, "patch").update(security=[{"apiKey": ["goals:write"]}]),
    "parameter If-Match removed": lambda d: _team(d, "patch")["parameters"].pop(),
    "parameter If-Match now required": lambda d: _team(d, "patch")["parameters"][1].update(required=True),
    "body now required": lambda d: _team(d, "delete").update(requestBody={"required": True, "content": {}}),
    "no longer takes application/json": lambda d: _team(d, "patch")["requestBody"]["content"].pop(JSON),
    "request now requires name": lambda d: _schema(d, "TeamUpdate").update(required=["name"]),
    "request no longer takes is_archived": lambda d: _schema(d, "TeamUpdate")["properties"].pop("is_archived"),
    "request takes only": lambda d: _schema(d, "MembershipCreate")["properties"]["kind"].update(enum=["member"]),
    "type ['string'] is now ['integer']": lambda d: _schema(d, "TeamUpdate")["properties"]["name"].update(
        type="integer"
    ),
    "response 200 removed": lambda d: _team(d, "get")["responses"].pop("200"),
    "200 no longer application/json": lambda d: _team(d, "get")["responses"]["200"].pop("content"),
    "response lost name": lambda d: _schema(d, "Team")["properties"].pop("name"),
    "response no longer guarantees name": lambda d: _schema(d, "Team")["required"].remove("name"),
    "response may be other than": lambda d: _schema(d, "Kpi")["properties"]["state"]["enum"].append("frozen"),
    "is now ['null', 'string']": lambda d: _schema(d, "Team")["properties"]["name"].update(type=["string", "null"]),
    "404 no longer application/problem+json": lambda d: d["components"]["responses"]["TeamNotFound"].update(content={}),
}
HARMLESS: dict[str, Change] = {
    "a new operation": lambda d: d["paths"].update({"/v1/more": {"get": _team(d, "get")}}),
    "a new optional field of a request": lambda d: _schema(d, "TeamUpdate")["properties"].update(more={}),
    "a new field of an answer": lambda d: _schema(d, "Team")["properties"].update(more={"type": "string"}),
    "a new answer": lambda d: _team(d, "get")["responses"].update({"429": {"description": "Slow down."}}),
    "another description": lambda d: _schema(d, "Team")["properties"]["name"].update(description="Other words."),
    "a request takes more": lambda d: _schema(d, "MembershipCreate")["properties"]["kind"]["enum"].append("guest"),
    "an answer guarantees more": lambda d: _schema(d, "Team")["properties"]["parent_id"].update(
        anyOf=[{"type": "string", "format": "uuid"}]
    ),
}


@pytest.mark.parametrize("found", BREAKS)
def test_a_break_is_found(found: str) -> None:
    changed = copy.deepcopy(DOCUMENT)
    BREAKS[found](changed)
    assert [told for told in breaking(DOCUMENT, changed) if found in told] != [], breaking(DOCUMENT, changed)


@pytest.mark.parametrize("change", HARMLESS)
def test_a_harmless_change_is_let_pass(change: str) -> None:
    changed = copy.deepcopy(DOCUMENT)
    HARMLESS[change](changed)
    assert breaking(DOCUMENT, changed) == []


def test_the_changelog_names_every_break_since_the_last_commit() -> None:
    git = shutil.which("git")
    command = [git or "false", "show", "HEAD:openapi/openapi.json"]
    published = subprocess.run(command, cwd=_ROOT, capture_output=True, check=False)
    if published.returncode != 0:
        pytest.skip("nothing has been published yet, or there is no git")
    changelog = (COMMITTED.parent / "CHANGELOG.md").read_text(encoding="utf-8")
    unnamed = [told for told in breaking(json.loads(published.stdout), DOCUMENT) if told not in changelog]
    assert unnamed == [], "name each in openapi/CHANGELOG.md, word for word, or do not break it"
