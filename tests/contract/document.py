"""The document as tests read it: its operations, with what they take and answer."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from openapi_schema_validator import OAS31Validator, oas31_format_checker

from app import openapi
from app.core.problems import MEDIA_TYPE
from app.core.settings import Settings
from app.main import create_app
from app.openapi.schemas import example_id, resolve

COMMITTED = Path(__file__).parents[2] / "openapi" / "openapi.json"
METHODS = ("get", "put", "post", "delete", "patch")
JSON = "application/json"
# From the routes alone: no database is asked.
APP = create_app(Settings(database_url="postgresql://nobody@localhost/nothing"))
DOCUMENT = openapi.document(APP)
ROUTES = {route.unique_id: route for route in openapi.api_routes(APP)}


@dataclass(frozen=True)
class Operation:
    """One operation of the document."""

    method: str
    path: str
    id: str

    @property
    def spec(self) -> dict[str, Any]:
        """What the document says of it."""
        spec: dict[str, Any] = DOCUMENT["paths"][self.path][self.method.lower()]
        return spec

    @property
    def is_hook(self) -> bool:
        """Whether a CRM calls it, with its own proof."""
        return self.path.startswith("/v1/hooks/")

    @property
    def scopes(self) -> list[str]:
        """What a key must have."""
        return [scope for needed in self.spec["security"] for scopes in needed.values() for scope in scopes]

    @property
    def path_ids(self) -> list[str]:
        """Names of the path's parameters."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]

    @property
    def bodies(self) -> list[tuple[str, Any]]:
        """Every documented request body, with its media type."""
        content = self.spec.get("requestBody", {}).get("content", {})
        content = {kind: told for kind, told in content.items() if told["schema"].get("format") != "binary"}
        return [(kind, shown["value"]) for kind, told in content.items() for shown in told["examples"].values()]

    @property
    def asked(self) -> list[tuple[str | None, Any]]:
        """The same; one without a body where there is none."""
        return [*self.bodies] or [(None, None)]

    @property
    def query(self) -> dict[str, str]:
        """The query parameters that must be there, with their examples."""
        parameters = [resolve(DOCUMENT, parameter) for parameter in self.spec.get("parameters", ())]
        needed = [each for each in parameters if each["in"] == "query" and each.get("required")]
        return {each["name"]: each["schema"]["examples"][0] for each in needed}

    @property
    def headers(self) -> set[str]:
        """Names of the header parameters."""
        parameters = [resolve(DOCUMENT, parameter) for parameter in self.spec.get("parameters", ())]
        return {parameter["name"] for parameter in parameters if parameter["in"] == "header"}

    @property
    def changes_by_post(self) -> bool:
        """Whether it is a POST of ours that changes something; from the route, not from the document."""
        return (
            self.method == "POST" and not self.is_hook and not getattr(ROUTES[self.id].endpoint, "is_read_only", False)
        )

    @cached_property
    def is_list(self) -> bool:
        """Whether it answers pages."""
        schema = self.spec["responses"].get("200", {}).get("content", {}).get(JSON, {}).get("schema", {})
        return self.method == "GET" and "next_cursor" in resolve(DOCUMENT, schema).get("properties", {})

    def answer(self, status: int) -> dict[str, Any]:
        """What the document says of an answer; fails for a status it does not have."""
        assert str(status) in self.spec["responses"], f"{self.id} answers {status}, which is not documented"
        told: dict[str, Any] = resolve(DOCUMENT, self.spec["responses"][str(status)])
        return told

    def check(self, response: httpx.Response) -> None:
        """The answer is one of the documented: status, media type, headers and shape."""
        told = self.answer(response.status_code)
        assert set(told.get("headers", {})) >= {"X-Request-Id"}
        assert "X-Request-Id" in response.headers
        documented, sent = "ETag" in told.get("headers", {}), "ETag" in response.headers
        assert documented == sent, f"{self.id}: an ETag is {'' if documented else 'not '}documented"
        if not response.content:
            assert not told.get("content"), f"{self.id} {response.status_code}: the documented body is missing"
            return
        media_type = response.headers["content-type"].partition(";")[0]
        assert media_type in told["content"], f"{self.id} {response.status_code}: {media_type} is not documented"
        value = response.json() if media_type.endswith(("/json", "+json")) else response.text
        problems = list(mismatches(told["content"][media_type]["schema"], value))
        assert not problems, f"{self.id} {response.status_code}: {problems[:5]}"


OPERATIONS = [
    Operation(method.upper(), path, spec["operationId"])
    for path, item in DOCUMENT["paths"].items()
    for method, spec in item.items()
]
OF_KEYS = [operation for operation in OPERATIONS if not operation.is_hook]
WITH_BODY = [operation for operation in OF_KEYS if any(kind.endswith("json") for kind, _ in operation.bodies)]


def named(operation: Operation) -> str:
    """How a test of an operation is called."""
    return operation.id


def mismatches(schema: dict[str, Any], value: Any, document: dict[str, Any] = DOCUMENT) -> list[str]:
    """Where a value is not what a schema of the document says."""
    whole = {**schema, "components": document["components"]}
    errors = OAS31Validator(whole, format_checker=oas31_format_checker).iter_errors(value)
    return [f"{error.json_path}: {error.message[:300]}" for error in errors]


def check_problem(operation: Operation, response: httpx.Response, *statuses: int) -> None:
    """The answer is a documented problem with one of these statuses."""
    sent = f"{operation.id}: {response.status_code} {response.text[:500]}"
    assert response.status_code in statuses, sent
    assert response.headers["content-type"] == MEDIA_TYPE, sent
    operation.check(response)
    assert response.json()["status"] == response.status_code


def written(body: Any) -> str:
    """An example as it is sent: what is text in the document (CSV) as it stands, anything else as JSON."""
    return body if isinstance(body, str) else json.dumps(body)


def with_ids(value: Any, ids: dict[str, str]) -> Any:
    """An example with the document's identifiers replaced by those of things that exist."""
    text = json.dumps(value)
    for name, id_ in ids.items():
        text = text.replace(example_id(name), id_)
    return json.loads(text)
