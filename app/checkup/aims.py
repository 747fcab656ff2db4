"""Whether there are goals, and whether everybody has one (mistakes 1 and 2)."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from app.checkup.checks import Check, Finding, Step, Verdict, number
from app.checkup.people import People

_FIRST_KPI = "revenue_won"


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentGoals:
    """Whose goals are open today, and how many there are; drafts are none yet."""

    of_organization: int
    teams: Collection[UUID]
    members: Collection[UUID]
    total: int
    drafts: int


def clear_goals(goals: CurrentGoals, people: People, kpi: str | None) -> Check:
    """No clearly set goals: none for today, none of the organization, or teams without; `kpi` is one to begin with."""
    without = {team: name for team, name in people.staffed_teams.items() if team not in goals.teams}
    verdict, sentence = _judged(goals, people, without)
    return Check(
        check="clear_goals",
        mistake="No clearly set goals",
        verdict=verdict,
        sentence=sentence,
        figures={
            "goals_today": goals.total,
            "goals_of_the_organization": goals.of_organization,
            "draft_goals": goals.drafts,
            "teams": len(people.staffed_teams),
            "teams_without_goal": len(without),
        },
        findings=[
            Finding(kind="team_without_goal", id=str(team), name=name, detail="No goal of the team is open today.")
            for team, name in without.items()
        ],
        steps=[] if verdict == "ok" else _steps(goals, without, kpi),
    )


def _judged(goals: CurrentGoals, people: People, without: Collection[UUID]) -> tuple[Verdict, str]:
    if goals.total == 0:
        return "problem", "No goal is open for today."
    if goals.of_organization == 0:
        return "problem", "The organization itself has no goal for today, so that nothing tells what the others add to."
    if without:
        return "problem", f"{number(len(without), 'team')} of {len(people.staffed_teams)} have no goal for today."
    return (
        "ok",
        f"{number(goals.total, 'goal')} open for today, of the organization and of each team with people in it.",
    )


def _steps(goals: CurrentGoals, without: Collection[UUID], kpi: str | None) -> list[Step]:
    steps = []
    if kpi is None:
        body = {"keys": [_FIRST_KPI]}
        steps.append(Step(sentence="Have a KPI.", method="POST", path="/v1/kpi-library/install", body=body))
    if goals.of_organization == 0:
        steps.append(_set_goal("Set a goal of the organization.", None, None, kpi))
    if without:
        steps.append(
            _set_goal(
                "Set a goal of each team that has none.",
                "team",
                str(next(iter(without))),
                kpi,
            )
        )
    if goals.drafts:
        steps.append(
            Step(
                sentence="Open the goals that are drafts.",
                method="PATCH",
                path="/v1/goals/{goal_id}",
                body={"state": "open"},
            )
        )
    return steps


def _set_goal(sentence: str, kind: str | None, owner: str | None, kpi: str | None) -> Step:
    who = {"type": "organization"} if kind is None else {"type": kind, "id": owner}
    body = {
        "name": "This quarter",
        "owner": who,
        "kpi": kpi or _FIRST_KPI,
        "period": "this_quarter",
        "target": {"value": "100"},
    }
    sentence = f"{sentence} Put in the KPI and the target that fit."
    return Step(sentence=sentence, method="POST", path="/v1/goals", body=body)


def own_goals(goals: CurrentGoals, people: People, kpi: str | None) -> Check:
    """Members without KPIs of their own: nobody can tell what is expected of them; `kpi` is one to begin with."""
    without = {member: name for member, name in people.members.items() if member not in goals.members}
    verdict: Verdict = "unknown" if not people.members else "problem" if without else "ok"
    sentence = {
        "unknown": "There are no members yet.",
        "problem": f"{number(len(without), 'member')} of {len(people.members)} have no goal of their own for today.",
        "ok": "Every member has a goal of their own for today.",
    }[verdict]
    return Check(
        check="own_goals",
        mistake="Members without KPIs of their own",
        verdict=verdict,
        sentence=sentence,
        figures={"members": len(people.members), "members_without_goal": len(without)},
        findings=[
            Finding(kind="member_without_goal", id=str(member), name=name, detail="No goal of their own is open today.")
            for member, name in without.items()
        ],
        steps=_own_steps(verdict, without, kpi),
    )


def _own_steps(verdict: Verdict, without: Collection[UUID], kpi: str | None) -> list[Step]:
    if verdict == "unknown":
        body = {"name": "Ada Nowak", "email": "ada@example.com"}
        return [Step(sentence="Add the members.", method="POST", path="/v1/members", body=body)]
    if verdict == "ok":
        return []
    sentence = "Install the KPIs of each one's role, so that everybody can be given those that fit."
    install = Step(sentence=sentence, method="POST", path="/v1/kpi-library/install", body={"roles": ["prospecting"]})
    return [
        install,
        _set_goal(
            "Set a goal of each member that has none.",
            "member",
            str(next(iter(without))),
            kpi,
        ),
    ]
