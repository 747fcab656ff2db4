"""Finishes the published document: OpenAPI 3.1, with everything an integrator needs and nothing that is not so."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from app.integrations.adapters import ADAPTERS
from app.openapi.operations import finish
from app.openapi.reference import filled
from app.openapi.schemas import tidy

Document = dict[str, Any]  # Any: JSON of the OpenAPI document

_GUIDES = Path(__file__).parent / "guides"
# In the order in which a newcomer meets them.
_TAGS = (
    "accounts",
    "teams",
    "events",
    "integrations",
    "kpis",
    "kpi-library",
    "scores",
    "results",
    "calendars",
    "exchange-rates",
    "goals",
    "goal-progress",
    "goal-forecasts",
    "goal-planning",
    "initiatives",
    "reviews",
    "setup-check",
    "imports",
    "jobs",
)


def operation_id(route: APIRoute) -> str:
    """The name of the route's function in camelCase: `list_goals` is `listGoals`."""
    first, *rest = route.name.split("_")
    return first + "".join(word.title() for word in rest)


METADATA: dict[str, Any] = {  # Any: keyword arguments of FastAPI
    "title": "Paceline",
    "version": "1.4.0",
    "summary": "Sales performance: CRM activity in; exact KPIs, goals and review evidence out.",
    "generate_unique_id_function": operation_id,
}


def install(app: FastAPI) -> None:
    """Serve the finished document."""

    def published() -> Document:
        if app.openapi_schema is None:
            app.openapi_schema = document(app)
        return app.openapi_schema

    app.openapi = published  # type: ignore[method-assign]  # FastAPI's documented way


def document(app: FastAPI) -> Document:
    """The finished document; it depends on the routes alone, never on settings."""
    whole: Document = get_openapi(
        title=METADATA["title"],
        version=METADATA["version"],
        summary=METADATA["summary"],
        description=guide("introduction"),
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "/", "description": "The server that serves this document."}],
        tags=[{"name": tag, "description": _tag(tag)} for tag in _TAGS],
        routes=app.routes,
    )
    tidy(whole)
    endpoints = {route.unique_id: route for route in api_routes(app)}
    for item in whole["paths"].values():
        for operation in item.values():
            finish(whole, operation, endpoints[operation["operationId"]])
    return whole


def _tag(tag: str) -> str:
    # The pages for whoever sets a system up follow the guide to integrations.
    pages = [f"systems/{system}" for system in sorted(ADAPTERS)] if tag == "integrations" else []
    return "\n\n".join(map(guide, [tag, *pages]))


def to_json(whole: Document) -> str:
    """The document as it is committed: sorted, so that its history shows changes only."""
    return json.dumps(whole, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def guide(name: str) -> str:
    """The text of a guide for integrators."""
    return filled((_GUIDES / f"{name}.md").read_text(encoding="utf-8").strip())


def api_routes(app: FastAPI) -> Iterator[Any]:  # Any: an APIRoute as it is effective below its routers
    """The routes of the documented operations."""
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, APIRoute) and context.include_in_schema:
            yield context
