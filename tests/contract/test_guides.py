"""The guides say what is so: their examples are taken, and documented defaults are the defaults."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.integrations.mapping import Mapping
from app.integrations.schemas import MappingConfig
from tests.contract.document import DOCUMENT
from tests.support import Api

GUIDES = Path(__file__).parents[2] / "app" / "openapi" / "guides"
KPIS = [
    json.loads(text) for text in re.findall(r"```json\n(.*?)```", (GUIDES / "kpis.md").read_text("utf-8"), re.DOTALL)
]
DEFAULTS = Mapping()


async def test_the_kpis_of_the_guide_measure_the_first_answer_by_a_human(api: Api) -> None:
    for kpi in KPIS:
        await api.post("/kpis", kpi, expect=201)
    events = [
        _event("lead.created", "a", "09:00"),
        _event("call.made", "a", "09:01", automated=True),
        _event("call.made", "a", "09:04", automated=False),
        _event("lead.created", "b", "09:00"),
        _event("email.sent", "b", "09:10"),
        _event("lead.created", "c", "09:30"),
    ]
    answer = await api.post("/events/batch", {"events": events}, expect=200)
    assert answer["counts"] == {"accepted": 6}
    question = {"kpis": [kpi["key"] for kpi in KPIS], "subjects": [{"organization": True}], "period": "2026-07-10"}
    found = await api.post("/kpi-results/query", question, expect=200)
    totals = {series["kpi"]: series["total"]["value"] for series in found["series"]}
    assert totals["lead_response_time"] == 420
    assert totals["answered_within_5_minutes"] == pytest.approx(1 / 3)


def _event(type_: str, lead: str, time: str, **properties: bool) -> dict[str, Any]:
    return {
        "external_id": f"{lead}:{type_}:{time}",
        "type": type_,
        "occurred_at": f"2026-07-10T{time}:00Z",
        "actor": {"id": "7421"},
        "about": {"lead": lead},
        "properties": properties,
    }


@pytest.mark.parametrize("name", MappingConfig.model_fields)
def test_the_description_of_each_mapping_field_tells_its_default(name: str) -> None:
    words = MappingConfig.model_fields[name].description or ""
    assert "efault" in words
    if name == "credit_correction_days":
        assert f"`{DEFAULTS.credit_correction.days}`" in words
        return
    default = getattr(DEFAULTS, name)
    named = [default] if isinstance(default, str) else [] if isinstance(default, bool | None) else default
    assert [value for value in named if value not in words] == []


def test_the_hook_tells_the_headers_by_which_calls_are_proved() -> None:
    parameters = DOCUMENT["paths"]["/v1/hooks/{source_id}"]["post"]["parameters"]
    headers = {one["name"]: one["required"] for one in parameters if one["in"] == "header"}
    told = (
        "X-HubSpot-Signature-v3",
        "X-HubSpot-Request-Timestamp",
        "Authorization",
        "X-Paceline-Key",
        "webhook-signature",
    )
    assert headers == dict.fromkeys(told, False)
