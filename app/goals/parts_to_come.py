"""Where the sum of a goal's parts will end: by what those bring that still count (S33).

What is to come is forecast from the owner's own history where the parts count all its people, else from the sum of the
histories of the parts' owners. Where the parts that count change within what is left of the period, nobody can say.
"""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from app.goals.forecasting.reasons import Unknown
from app.goals.forecasting.schemas import Forecast
from app.goals.forecasting.service import Wanted, forecast_of_sum, unknown
from app.goals.parts import EVERYBODY, Share
from app.goals.standing import Standing
from app.goals.work import Members, owner_of
from app.kpis.attribution import ALL_TIME, Days, Subject, intersect, union

MOST_OWNERS = 20
"""The histories of at most so many owners are added up."""


async def forecast_of_parts(standing: Standing, wanted: Wanted) -> Forecast:
    """The forecast of the sum; `wanted` is as of the goal's owner."""
    actual = standing.cell.value
    if actual is None:
        return unknown(wanted, Unknown("no_data"), None)
    try:
        subjects = await _bringing(standing)
    except Unknown as reason:
        return unknown(wanted, reason, actual)
    return await forecast_of_sum(standing.asking.session, standing.goal.org_id, wanted, subjects, actual)


async def _bringing(standing: Standing) -> Sequence[Subject]:
    """Who brings what is still to come. Raises `Unknown`."""
    goal, owner = standing.goal, owner_of(standing.goal)
    rest = Days(max(standing.today, goal.start_on), goal.end_on)
    shares = standing.parts.shares if standing.parts is not None else ()
    if rest.start >= rest.end:
        return []
    spans: dict[Subject, list[Days]] = defaultdict(list)
    is_shared = False
    for share in shares:
        people = await _people(standing, share, rest)
        taken = {member: intersect(share.taken.get(member, ()), runs) for member, runs in people.items()}
        if not people or all(taken[member] == union(runs) for member, runs in people.items()):
            continue  # nobody, or all are counted by earlier parts
        is_shared = is_shared or any(taken.values())
        spans[share.subject] += _days(share, people)
    if any(union(intersect(runs, [rest])) != [rest] for runs in spans.values()):
        raise Unknown("parts_change")
    if owner in spans or await _are_all(standing, list(spans), rest):
        return [owner]
    if is_shared:
        raise Unknown("parts_overlap")
    if len(spans) > MOST_OWNERS:
        raise Unknown("too_many_parts")
    return list(spans)


async def _people(standing: Standing, share: Share, rest: Days) -> Members:
    """Whose work of the days to come the part counts."""
    part, schedules = share.goal, standing.schedules
    days = intersect([share.days], [rest])
    if not days:
        return {}
    if owner_of(part).kind == "organization":
        return {EVERYBODY: days}
    members = await schedules.members(owner_of(part))
    if part.member_id is not None and standing.goal.team_id is not None:
        inside = await schedules.members(owner_of(standing.goal))
        members = {part.member_id: inside.get(part.member_id, ())}
    found = {member: union(intersect(runs, days)) for member, runs in members.items()}
    return {member: runs for member, runs in found.items() if runs}


def _days(share: Share, people: Members) -> Sequence[Days]:
    """The days on which the part brings something: of a member those in the team, else all of its own."""
    return people[share.goal.member_id] if share.goal.member_id is not None else [share.days]


async def _are_all(standing: Standing, subjects: Sequence[Subject], rest: Days) -> bool:
    """Whether these are all the people of the goal's team on the days to come."""
    team = owner_of(standing.goal)
    if team.kind != "team":
        return False
    found: dict[UUID, list[Days]] = defaultdict(list)
    for subject in subjects:
        if subject.kind == "member" and subject.id is not None:
            found[subject.id].append(ALL_TIME)
        else:
            for member, runs in (await standing.schedules.members(subject)).items():
                found[member] += runs
    everybody = await standing.schedules.members(team)
    there = {member: union(intersect(runs, [rest])) for member, runs in everybody.items()}
    return all(union(intersect(union(found[member]), runs)) == runs for member, runs in there.items())
