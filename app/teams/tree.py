"""The tree of teams over time, in plain Python."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from app.teams.facts import Placement


@dataclass(frozen=True)
class Cycle:
    """A team that would be below itself: from `day` on, along `path`, which begins and ends with it."""

    day: date
    path: list[UUID]


def find_cycle(placements: Iterable[Placement], team_id: UUID) -> Cycle | None:
    """The first day on which the team would be below itself, or None.

    Places change only on days on which a placement starts, so that looking at those is enough.
    """
    by_team: dict[UUID, list[Placement]] = defaultdict(list)
    for placement in placements:
        by_team[placement.team_id].append(placement)
    days = {placement.start or date.min for spans in by_team.values() for placement in spans}
    for day in sorted(days):
        path = _way_up(by_team, team_id, day)
        if len(path) > 1 and path[-1] == team_id:
            return Cycle(day, path)
    return None


def _way_up(by_team: dict[UUID, list[Placement]], team_id: UUID, day: date) -> list[UUID]:
    """The team, its parent on the day, and so on up to the top, or to the first that comes again."""
    path = [team_id]
    while (above := _parent(by_team.get(path[-1], []), day)) is not None:
        path.append(above)
        if above in path[:-1]:
            break
    return path


def _parent(spans: list[Placement], day: date) -> UUID | None:
    for span in spans:
        if (span.start is None or span.start <= day) and (span.end is None or day < span.end):
            return span.parent_id
    return None
