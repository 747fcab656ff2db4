"""An organization with teams, leads and a manager, and a key of each, for tests of who may do what."""

from dataclasses import dataclass
from typing import Any

from tests.goals.facts import define
from tests.support import Api

SCOPES = ["goals:read", "goals:write"]


@dataclass
class House:
    """Europe with North below it; Lea leads Europe, Ana and Bo are in North, Max is Ana's manager, Eve in no team.

    Ids of members and teams by name; `keys` are those of the members (role `member`), `manager` stands for nobody.
    """

    admin: Api
    manager: Api
    keys: dict[str, Api]
    ids: dict[str, str]

    def goal(self, owner: str | None = None, **changes: Any) -> dict[str, Any]:
        """A goal of July as it is posted; of the organization, or of the team or member of this name."""
        return {
            "name": "Calls in July",
            "owner": self.owner(owner),
            "kpi": "calls_made",
            "period": "2026-07",
            "target": {"value": "100"},
        } | changes

    def owner(self, name: str | None) -> dict[str, Any]:
        """The owner of this name."""
        if name is None:
            return {"type": "organization"}
        return {"type": "team" if name in {"Europe", "North", "South"} else "member", "id": self.ids[name]}


async def furnish(admin: Api) -> House:
    """Make all of it."""
    await define(admin, "calls_made")
    ids: dict[str, str] = {}
    for name in ("Ana", "Bo", "Lea", "Max", "Eve"):
        ids[name] = (await admin.post("/members", {"name": name}, expect=201))["id"]
    for name in ("Europe", "South"):
        ids[name] = (await admin.post("/teams", {"name": name}, expect=201))["id"]
    ids["North"] = (await admin.post("/teams", {"name": "North", "parent_id": ids["Europe"]}, expect=201))["id"]
    for team, name, kind in (("Europe", "Lea", "lead"), ("North", "Ana", "member"), ("North", "Bo", "member")):
        await admin.post(f"/teams/{ids[team]}/memberships", {"member_id": ids[name], "kind": kind}, expect=201)
    await admin.post(f"/members/{ids['Ana']}/assignments", {"manager_id": ids["Max"]}, expect=201)
    keys = {name: await admin.key("member", SCOPES, ids[name]) for name in ("Ana", "Bo", "Lea", "Max", "Eve")}
    return House(admin, await admin.key("manager", SCOPES), keys, ids)
