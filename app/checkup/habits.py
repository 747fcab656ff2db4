"""Whether teams meet, and whether everybody sees figures and is heard (mistakes 5 and 6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from app.checkup.checks import Check, Finding, Step, Verdict, number
from app.checkup.people import People

TEAM_MEETING_EVERY = timedelta(days=31)
ONE_TO_ONE_EVERY = timedelta(days=30)
LOOK_EVERY = timedelta(days=30)
ONE_TO_ONE = "one_to_one"
_MARK = (
    "Post `meeting.held` of meetings among colleagues with the properties `internal` true and `kind` team_meeting or "
    "one_to_one, credited to who took part (or `training.attended` of `kind` coaching): then this can be told."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """A meeting among colleagues, and one of those who took part."""

    member_id: UUID | None
    held_at: datetime
    is_one_to_one: bool


def regular_meetings(meetings: Sequence[Meeting], people: People, now: datetime) -> Check:
    """No regular meetings: teams that have not met for a month."""
    of_teams = [meeting for meeting in meetings if not meeting.is_one_to_one]
    recent = {one.member_id for one in of_teams if now - one.held_at <= TEAM_MEETING_EVERY}
    teams = people.staffed_teams
    without = {team: name for team, name in teams.items() if not people.in_team[team] & recent}
    if not of_teams or not teams:
        sentence = "There are no teams yet." if not teams else "The data do not tell which meetings are of teams."
        return _meetings("unknown", sentence, of_teams, teams, {})
    if without:
        sentence = f"{number(len(without), 'team')} of {len(teams)} have not met in the last 31 days."
        return _meetings("problem", sentence, of_teams, teams, without)
    return _meetings("ok", "Every team has met in the last 31 days.", of_teams, teams, without)


def _meetings(
    verdict: Verdict, sentence: str, held: Sequence[Meeting], teams: Mapping[UUID, str], without: Mapping[UUID, str]
) -> Check:
    steps = {
        "ok": [],
        "unknown": [_post("team_meeting")],
        "problem": [
            Step(sentence="Agree on a weekly, fortnightly or monthly meeting about goals and figures."),
            _post("team_meeting"),
        ],
    }[verdict]
    return Check(
        check="regular_meetings",
        mistake="No regular meetings",
        verdict=verdict,
        sentence=sentence,
        figures={"team_meetings_in_90_days": len(held), "teams": len(teams), "teams_without_meeting": len(without)},
        findings=[
            Finding(
                kind="team_without_meeting",
                id=str(team),
                name=name,
                detail="Nobody who is in the team now took part in a team meeting in the last 31 days.",
            )
            for team, name in without.items()
        ],
        steps=steps,
    )


def open_communication(
    meetings: Sequence[Meeting], people: People, looks: Mapping[UUID, date | None], now: datetime
) -> Check:
    """No open communication: figures closed to members, members who never look, and who were not heard for a month.

    `looks` has everybody who may see figures, and the day of their last look, if one is known.
    """
    closed = {member: name for member, name in people.members.items() if member not in looks}
    away = {member for member, day in looks.items() if day is None or now.date() - day > LOOK_EVERY}  # both in UTC
    blind = {member: name for member, name in people.members.items() if member in away}
    talks = [meeting for meeting in meetings if meeting.is_one_to_one]
    heard = {one.member_id for one in talks if now - one.held_at <= ONE_TO_ONE_EVERY}
    unheard = {member: name for member, name in people.members.items() if member not in heard} if talks else {}
    wrong = closed or blind or unheard
    verdict: Verdict = "problem" if wrong else "unknown" if not talks or not people.members else "ok"
    return Check(
        check="open_communication",
        mistake="No open communication",
        verdict=verdict,
        sentence=_told(people, closed, blind, unheard, has_talks=bool(talks)),
        figures={
            "members": len(people.members),
            "members_without_access": len(closed),
            "members_not_looking": len(blind),
            "one_to_ones_in_90_days": len(talks),
            "members_without_one_to_one": len(unheard),
        },
        findings=[
            *[_of_member("figures_closed", who, "No valid key of theirs may read results.") for who in closed.items()],
            *[_of_member("does_not_look", who, _last_look(looks[who[0]])) for who in blind.items()],
            *[_of_member("no_one_to_one", who, "No one-to-one in the last 30 days.") for who in unheard.items()],
        ],
        steps=_steps(closed, blind, is_unheard=bool(unheard), has_talks=bool(talks)),
    )


def _last_look(day: date | None) -> str:
    return f"Their key was last used on {day}." if day else "No use of their key is known."


def _told(
    people: People,
    closed: Mapping[UUID, str],
    blind: Mapping[UUID, str],
    unheard: Mapping[UUID, str],
    *,
    has_talks: bool,
) -> str:
    if not people.members:
        return "There are no members yet."
    told = [
        f"{number(len(closed), 'member')} of {len(people.members)} cannot see any figure."
        if closed
        else "Every member can see figures.",
        _told_of_looking(blind, can_anybody=len(closed) < len(people.members)),
    ]
    if not has_talks:
        told.append("The data do not tell which meetings are one-to-ones.")
    elif unheard:
        told.append(f"{number(len(unheard), 'member')} had no one-to-one in the last 30 days.")
    else:
        told.append("Every member had a one-to-one in the last 30 days.")
    return " ".join(told)


def _told_of_looking(blind: Mapping[UUID, str], *, can_anybody: bool) -> str:
    if not can_anybody:
        return "Whether members look is unknown: none has a key."
    if blind:
        return f"{number(len(blind), 'member')} with a key did not use it in the last 30 days."
    return "Everybody with a key used it in the last 30 days."


def _of_member(kind: str, who: tuple[UUID, str], detail: str) -> Finding:
    return Finding(kind=kind, id=str(who[0]), name=who[1], detail=detail)


def _steps(closed: Mapping[UUID, str], blind: Mapping[UUID, str], *, is_unheard: bool, has_talks: bool) -> list[Step]:
    steps = []
    if closed:
        scopes = ["results:read", "kpis:read", "goals:read", "teams:read"]
        body = {"name": "Own figures", "role": "member", "scopes": scopes, "member_id": str(next(iter(closed)))}
        sentence = "Give each member a key of role `member`, or a front end that has one for them."
        steps.append(Step(sentence=sentence, method="POST", path="/v1/api-keys", body=body))
    if blind:
        sentence = "Show these members their figures where they work, and ask what they miss. When keys were last used:"
        steps.append(Step(sentence=sentence, method="GET", path="/v1/api-keys"))
    if is_unheard:
        steps.append(Step(sentence="Arrange a one-to-one with each of these members, and repeat it every month."))
    if not has_talks or is_unheard:
        steps.append(_post(ONE_TO_ONE))
    return steps


def _post(kind: str) -> Step:
    body = {
        "external_id": f"{kind}-2026-07-13",
        "type": "meeting.held",
        "occurred_at": "2026-07-13T08:00:00Z",
        "actor": {"id": "7421"},
        "properties": {"kind": kind, "internal": True},
    }
    return Step(sentence=_MARK, method="POST", path="/v1/events", body=body)
