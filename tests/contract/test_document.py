"""The document is what the code says, valid, and complete; rules that match nothing would pass in silence."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from app import openapi
from tests.contract import lint
from tests.contract.document import COMMITTED, DOCUMENT, JSON, OPERATIONS, ROUTES

GOOD = "/v1/teams/{team_id}"
Spoil = Callable[[dict[str, Any]], object]


def _operation(document: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = document["paths"][GOOD]["patch"]
    return operation


BAD: list[tuple[lint.Rule, Spoil]] = [
    (lint.has_words, lambda d: _operation(d).pop("summary")),
    (lint.has_words, lambda d: _operation(d).update(summary="Change a team.")),
    (lint.has_words, lambda d: _operation(d).update(description="Change it.")),
    (lint.has_operation_id, lambda d: _operation(d).update(operationId="update_team")),
    (lint.has_operation_id, lambda d: _operation(d).update(operationId="getTeam")),
    (lint.has_described_tag, lambda d: _operation(d).update(tags=["teams", "goals"])),
    (lint.has_described_tag, lambda d: _operation(d).update(tags=["unheard-of"])),
    (lint.has_described_tag, lambda d: d["tags"][0].update(description="Accounts.")),
    (lint.has_described_tag, lambda d: d["tags"].append({"name": "idle", "description": "x" * 300})),
    (lint.tells_scopes, lambda d: _operation(d).pop("security")),
    (lint.tells_scopes, lambda d: _operation(d).update(security=[{"apiKey": ["everything"]}])),
    (lint.tells_scopes, lambda d: d["paths"]["/v1/hooks/{source_id}"]["post"].pop("security")),
    (lint.tells_problems, lambda d: _operation(d)["responses"].pop("415")),
    (lint.tells_problems, lambda d: _operation(d)["responses"].update({"404": {"description": "Not found"}})),
    (lint.tells_problems, lambda d: d["components"]["responses"].update(TeamNotFound={"content": {JSON: {}}})),
    (lint.has_no_framework_errors, lambda d: d["components"]["schemas"].update(HTTPValidationError={})),
    (lint.describes_properties, lambda d: d["components"]["schemas"]["Team"]["properties"]["name"].pop("description")),
    (lint.describes_properties, lambda d: d["components"]["schemas"]["Team"]["properties"].update(parentId={})),
    (lint.describes_parameters, lambda d: _operation(d)["parameters"][0].pop("description")),
    (lint.describes_parameters, lambda d: _operation(d)["parameters"][0].update(name="teamId")),
    (lint.has_kebab_paths, lambda d: d["paths"].update({"/v1/exchange_rates": {}})),
    (lint.has_kebab_paths, lambda d: d["paths"].update({"/teams": {}})),
    (lint.has_true_examples, lambda d: _operation(d)["requestBody"]["content"][JSON].pop("examples")),
    (lint.has_true_examples, lambda d: d["components"]["schemas"]["TeamUpdate"].update(required=["parent"])),
    (lint.has_true_examples, lambda d: _operation(d)["responses"]["200"]["content"][JSON].pop("examples")),
    (lint.names_request_ids, lambda d: _operation(d)["responses"]["200"].pop("headers")),
    (lint.answers_success, lambda d: _operation(d)["responses"].pop("200")),
    (lint.answers_success, lambda d: _operation(d)["responses"]["200"]["content"][JSON].pop("schema")),
]


def test_the_committed_document_is_the_generated_one() -> None:
    assert COMMITTED.exists(), "run `python3 -m app openapi`, and commit openapi/openapi.json"
    written = openapi.to_json(DOCUMENT) == COMMITTED.read_text(encoding="utf-8")
    assert written, "the API has changed: run `python3 -m app openapi`, and commit openapi/openapi.json with the change"


def test_the_document_is_valid_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


@pytest.mark.parametrize("rule", lint.RULES, ids=lambda rule: rule.__name__)
def test_the_document_keeps_the_rule(rule: lint.Rule) -> None:
    assert list(rule(DOCUMENT)) == []


@pytest.mark.parametrize(("rule", "spoil"), BAD, ids=lambda value: getattr(value, "__name__", ""))
def test_the_rule_finds_a_bad_document(rule: lint.Rule, spoil: Spoil) -> None:
    bad = copy.deepcopy(DOCUMENT)
    spoil(bad)
    assert list(rule(bad)) != []


def test_every_rule_has_a_bad_document() -> None:
    assert {rule for rule, _ in BAD} == set(lint.RULES)


def test_operation_ids_are_the_functions_names_in_camel_case() -> None:
    assert len(OPERATIONS) == len(ROUTES) >= 90
    assert ROUTES["listGoals"].endpoint.__name__ == "list_goals"
    assert ROUTES["createGoal"].endpoint.__name__ == "create_goal"


def test_the_document_does_not_depend_on_settings() -> None:
    assert "localhost" not in json.dumps(DOCUMENT)


def test_changes_are_told_in_a_changelog() -> None:
    assert (COMMITTED.parent / "CHANGELOG.md").exists()
    assert Path(COMMITTED.parent).name == "openapi"
