"""Who may do what with whose goals: rules as data, in plain Python.

A rule reads as a sentence: *callers* may do *this* with the goals of these *owners*. Rules only add up; what none of
them allows is not allowed. Admins may do everything, for they write the rules.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict, get_args
from uuid import UUID

from app.goals.lifecycle import Action, Stored

Callers = Literal["manager", "member", "lead"]
Owners = Literal[
    "organization", "any_team", "any_member", "own", "own_teams", "led_teams", "members_of_led_teams", "reports"
]
Right = Literal["propose", "set", "approve", "lock"]
OwnerKind = Literal["organization", "team", "member"]
Author = Literal["caller", "other", "unknown"]
"""Who drafted or proposed something; unknown where their key stands for no member."""


class Rule(TypedDict):
    """These callers may do this with the goals of these owners."""

    callers: list[Callers]
    owners: list[Owners]
    may: list[Right]


DEFAULT_RULES: tuple[Rule, ...] = (
    {
        "callers": ["manager"],
        "owners": ["organization", "any_team", "any_member"],
        "may": ["set", "approve", "lock"],
    },
    {"callers": ["lead"], "owners": ["led_teams", "members_of_led_teams"], "may": ["set", "approve"]},
    {"callers": ["member"], "owners": ["reports"], "may": ["set", "approve"]},
    {"callers": ["member"], "owners": ["own", "own_teams"], "may": ["propose"]},
)
"""Managers and admins decide all goals; team leads those of their teams and people; members propose their own."""

EVERYTHING: frozenset[Right] = frozenset(get_args(Right))
NOTHING: frozenset[Right] = frozenset()


@dataclass(frozen=True)
class Caller:
    """Who asks, and where they stand today.

    `role` is the key's. A key that stands for no member has its role alone. `led_teams` includes the teams below;
    nobody is among the members whom they lead, or their own report, so that a lead's own goals are decided by others.
    """

    role: str
    member_id: UUID | None = None
    own_teams: frozenset[UUID] = frozenset()
    led_teams: frozenset[UUID] = frozenset()
    led_members: frozenset[UUID] = frozenset()
    reports: frozenset[UUID] = frozenset()


def may(rules: Iterable[Rule], caller: Caller, kind: OwnerKind, owner_id: UUID | None) -> frozenset[Right]:
    """What the caller may do with goals of this owner; who may set may propose."""
    if caller.role == "admin":
        return EVERYTHING
    callers, owners = _callers(caller), _relations(caller, kind, owner_id)
    rights: set[Right] = set()
    for rule in rules:
        if callers.intersection(rule["callers"]) and owners.intersection(rule["owners"]):
            rights.update(rule["may"])
    if "set" in rights:
        rights.add("propose")
    return frozenset(rights)


def depends_on_place(rules: Iterable[Rule], role: str) -> bool:
    """Whether what a caller of this role may do depends on where they stand today."""
    impersonal = {"organization", "any_team", "any_member"}
    mine = [rule for rule in rules if {role, "lead"}.intersection(rule["callers"])]
    return any("lead" in rule["callers"] or not impersonal.issuperset(rule["owners"]) for rule in mine)


def _callers(caller: Caller) -> set[str]:
    return {caller.role, "lead"} if caller.led_teams else {caller.role}


def _relations(caller: Caller, kind: OwnerKind, owner_id: UUID | None) -> set[str]:
    """What the owner is to the caller, in the words of rules."""
    if owner_id is None or kind == "organization":
        return {"organization"}
    if kind == "team":
        told = {"any_team": True, "own_teams": owner_id in caller.own_teams, "led_teams": owner_id in caller.led_teams}
    else:
        told = {
            "any_member": True,
            "own": owner_id == caller.member_id,
            "members_of_led_teams": owner_id in caller.led_members,
            "reports": owner_id in caller.reports,
        }
    return {word for word, is_so in told.items() if is_so}


def below(parents: Mapping[UUID, UUID | None], tops: Iterable[UUID]) -> frozenset[UUID]:
    """These and all below them, by the parent of each; a circle ends where it closes."""
    children: dict[UUID, list[UUID]] = {}
    for child, parent in parents.items():
        if parent is not None:
            children.setdefault(parent, []).append(child)
    found: set[UUID] = set()
    waiting = list(tops)
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += children.get(each, ())
    return frozenset(found)


@dataclass(frozen=True)
class Place:
    """A team in which a member is today, and whether they lead it."""

    team_id: UUID
    member_id: UUID
    is_lead: bool


def standing(
    role: str,
    member_id: UUID,
    places: Iterable[Place],
    parents: Mapping[UUID, UUID | None],
    managers: Mapping[UUID, UUID | None],
) -> Caller:
    """Where a member stands on a day, by who is in which team, each team's parent, and each member's manager."""
    everybody = list(places)
    mine = [place for place in everybody if place.member_id == member_id]
    led = below(parents, (place.team_id for place in mine if place.is_lead))
    return Caller(
        role=role,
        member_id=member_id,
        own_teams=frozenset(place.team_id for place in mine),
        led_teams=led,
        led_members=frozenset(place.member_id for place in everybody if place.team_id in led) - {member_id},
        reports=below(managers, [member_id]) - {member_id},
    )


def author_of(proposer_id: UUID | None, member_id: UUID | None) -> Author:
    """Whether the proposer is the member who asks."""
    if proposer_id is None:
        return "unknown"
    return "caller" if proposer_id == member_id else "other"


def allows(action: Action, rights: frozenset[Right], stored: Stored, author: Author) -> bool:
    """Whether somebody with these rights may do this with a goal in its state, drafted or proposed by its author.

    Drafts and proposals are also their author's, as long as they may propose. Nobody approves or declines what they
    proposed, unless they may set it anyway.
    """
    if action in {"lock", "unlock"}:
        return "lock" in rights
    if action in {"approve", "decline"}:
        return "approve" in rights and ("set" in rights or author == "other")
    if "set" in rights:
        return True
    if author != "caller" or stored not in {"draft", "proposed"}:
        return False
    return action in {"withdraw", "cancel"} or (action in {"edit", "set_target", "propose"} and "propose" in rights)
