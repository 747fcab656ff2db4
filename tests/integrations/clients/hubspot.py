"""HubSpot as its API is documented: objects, associations, owners and pipelines."""

from dataclasses import dataclass, field
from typing import Any

from tests.integrations.clients.server import Answer, Asked, Crm

STATIC = "pat-eu1-a-private-app"


def deal(
    id_: int, *, stage: str = "closedwon", owner: str = "910901", amount: str = "500", at: str = "10"
) -> dict[str, Any]:
    """A deal that was made on the 1st of July and won on the day `at`."""
    made, won = "2026-07-01T08:00:00Z", f"2026-07-{at}T09:00:00Z"
    values = {
        "dealname": "A deal", "hubspot_owner_id": owner, "amount": amount, "deal_currency_code": "EUR",
        "dealstage": stage, "pipeline": "default", "closedate": None, "createdate": made,
        "hs_object_source": "CRM_UI", "hs_merged_object_ids": None,
    }  # fmt: skip
    history = {
        name: [{"value": value, "timestamp": made, "sourceType": "CRM_UI", "sourceId": "userId:1"}]
        for name, value in values.items()
        if value is not None
    }
    history["dealstage"] = [
        {"value": stage, "timestamp": won, "sourceType": "CRM_UI"},
        {"value": "presentation", "timestamp": made, "sourceType": "CRM_UI"},
    ]
    return {
        "id": str(id_), "properties": values, "propertiesWithHistory": history,
        "createdAt": made, "updatedAt": won, "archived": False,
    }  # fmt: skip


@dataclass
class HubSpotServer(Crm):
    """An account with deals and companies; `others` are objects of further types. Only what is asked for is told."""

    portal: str = "44556677"
    deals: dict[str, dict[str, Any]] = field(default_factory=dict)
    companies_of: dict[str, str] = field(default_factory=dict)
    others: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def answer(self, asked: Asked) -> Answer:
        """By path."""
        if asked.path == "/oauth/v1/token":
            return self._token(asked)
        if asked.headers.get("authorization", "").removeprefix("Bearer ") not in {STATIC, *self.tokens}:
            return 401, {}, {"status": "error", "message": "expired: pat-secret", "category": "EXPIRED_AUTHENTICATION"}
        if asked.path == "/account-info/v3/details":
            return 200, {}, {"portalId": int(self.portal), "accountType": "STANDARD"}
        if asked.path == "/crm/v3/owners":
            return self._owners(asked)
        if asked.path.startswith("/crm/v3/pipelines/"):
            return self._pipelines(asked)
        if asked.path.startswith("/crm/v4/associations/0-3/0-2/"):
            return self._companies(asked)
        if asked.path.startswith("/crm/v4/associations/") and "/0-136/" in asked.path:
            return 403, {}, {"category": "MISSING_SCOPES"}
        if asked.path.startswith("/crm/v4/associations/"):
            return 200, {}, {"status": "COMPLETE", "results": []}
        return self._objects(asked)

    def _objects(self, asked: Asked) -> Answer:
        kept = {"0-3": self.deals, **self.others}.get(asked.path.removeprefix("/crm/v3/objects/").partition("/")[0])
        if kept is not None and asked.path.endswith("/batch/read"):
            return self._read(asked, kept)
        if kept is not None and asked.path.endswith("/search"):
            return self._search(asked, kept)
        return 404, {}, {"status": "error", "category": "OBJECT_NOT_FOUND"}

    def _token(self, asked: Asked) -> Answer:
        if asked.form.get("refresh_token") not in self.refresh_tokens or asked.form["client_secret"] != "shh":
            return 400, {}, {"status": "BAD_REFRESH_TOKEN", "message": "refresh-1 is unknown"}
        self.refresh_tokens = {f"refresh-{self.granted + 2}"}
        return self.grant(expires_in=1800, refresh_token=next(iter(self.refresh_tokens)))

    def _read(self, asked: Asked, kept: dict[str, dict[str, Any]]) -> Answer:
        ids = [each["id"] for each in asked.json["inputs"]]
        assert len(ids) <= 50, "with history fifty at once"
        if "666" in ids:
            return 400, {}, {"status": "error", "category": "VALIDATION_ERROR", "message": "666"}
        found = [_with(kept[each], asked.json["properties"]) for each in ids if each in kept]
        return (200 if len(found) == len(ids) else 207), {}, {"status": "COMPLETE", "results": found}

    def _companies(self, asked: Asked) -> Answer:
        ids = [each["id"] for each in asked.json["inputs"]]
        types = [
            {"category": "HUBSPOT_DEFINED", "typeId": 5, "label": "Primary"},
            {"category": "HUBSPOT_DEFINED", "typeId": 341, "label": None},
        ]
        results = [
            {"from": {"id": each}, "to": [{"toObjectId": int(self.companies_of[each]), "associationTypes": types}]}
            for each in ids
            if each in self.companies_of
        ]
        return 207, {}, {"status": "COMPLETE", "results": results}

    def _search(self, asked: Asked, kept: dict[str, dict[str, Any]]) -> Answer:
        (group,) = asked.json["filterGroups"]
        told = {(each["propertyName"], each["operator"]): each["value"] for each in group["filters"]}
        after = int(told["hs_object_id", "GT"])
        ids = sorted(int(each) for each in kept if int(each) > after)[: asked.json["limit"]]
        return 200, {}, {"total": len(ids), "results": [{"id": str(each)} for each in ids]}

    def _owners(self, asked: Asked) -> Answer:
        if asked.query["archived"] == "true":
            gone = {"id": "3", "email": "", "firstName": "", "lastName": "", "archived": True, "type": "PERSON"}
            return 200, {}, {"results": [gone]}
        if "after" not in asked.query:
            one = {"id": "910901", "email": "ana@example.com", "firstName": "Ana", "lastName": "Ito", "archived": False}
            return 200, {}, {"results": [{**one, "type": "PERSON"}], "paging": {"next": {"after": "MQ"}}}
        return 200, {}, {"results": [{"id": "2", "firstName": "Inbox", "archived": False, "type": "QUEUE"}]}

    def _pipelines(self, asked: Asked) -> Answer:
        if asked.path.endswith("0-136"):
            return 403, {}, {"category": "MISSING_SCOPES"}
        stages = [
            {"id": "48592", "label": "Lost", "displayOrder": 2, "metadata": {"isClosed": "true", "probability": "0.0"}},
            {"id": "appointment", "label": "Met", "displayOrder": 0, "metadata": {"isClosed": "false"}},
            {"id": "48591", "label": "Won", "displayOrder": 1, "metadata": {"isClosed": "true", "probability": "1.0"}},
        ]
        return 200, {}, {"results": [{"id": "default", "label": "Sales", "stages": stages}]}


def _with(item: dict[str, Any], names: list[str]) -> dict[str, Any]:
    parts = ("properties", "propertiesWithHistory")
    return {**item, **{part: {name: told for name, told in item[part].items() if name in names} for part in parts}}
