"""Answers to queries (S5–S25)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from tests.reference import days
from tests.reference.days import Window
from tests.reference.figures import Figures, Place, shifted
from tests.reference.groups import Group, attribute_of, group_of, group_text, top_groups, value_of
from tests.reference.measures import Entry
from tests.reference.questions import NO_DATA, Answer, Cell, Compare, Comparison, Query, Series, Status, ToDate
from tests.reference.snapshot import Snapshot, Subject
from tests.reference.world import PropertyValue, World

__all__ = ["Answer", "Cell", "Query", "Status", "ToDate", "compute"]


def compute(world: World, query: Query, now: datetime) -> Answer:
    """The answer to a query that is asked at `now` (S5)."""
    at = query.as_of or now
    known_at = query.known_at or query.as_of or world.last_recorded_at
    snapshot = Snapshot(
        world,
        known_at=known_at,
        at=at,
        currency=query.currency,
        rate_set=query.rate_set,
        attribution=query.attribution,
    )
    period = days.period(query.period, snapshot.today, snapshot.settings.week_start)
    windows = days.windows(period, query.grain, snapshot.settings.week_start)
    asker = _Asker(snapshot, query, period, windows)
    return Answer(
        at,
        known_at,
        snapshot.zone,
        snapshot.currency,
        tuple(windows),
        tuple(days.is_complete(window, at, snapshot.zone) for window in windows),
        tuple(asker.series()),
    )


class _Asker:
    """One query against one snapshot."""

    def __init__(self, snapshot: Snapshot, query: Query, period: Window, windows: Sequence[Window]) -> None:
        self.snapshot = snapshot
        self.query = query
        self.period = period
        self.windows = windows
        self._figures: dict[str, Figures] = {}

    def figures(self, kpi: str) -> Figures:
        """The figures of a KPI, computed once."""
        if kpi not in self._figures:
            self._figures[kpi] = Figures(self.snapshot, self.query, kpi, self.figures)
        return self._figures[kpi]

    def series(self) -> Iterator[Series]:
        """A series for each KPI, subject and group."""
        for kpi in self.query.kpis:
            for subject in self.query.subjects:
                for part in self._parts(subject):
                    for group in self._groups(part):
                        yield self._series(kpi, part, group)

    def _parts(self, subject: Subject) -> list[Subject]:
        """A subject for each person of a team: who was in it in the period, or contributed to it (S8).

        The same people for all KPIs of the question. With `whole_person` each row is all that the person did.
        """
        if subject.kind != "members_of":
            return [subject]
        snapshot = self.snapshot
        team_days = self.period.days() if self.query.attribution == "at_event" else [snapshot.today]
        people = []
        for member in snapshot.members:
            part = Subject("member_in_team", member, subject.key)
            was_in = any(subject.key in snapshot.teams_of(member, day) for day in team_days)
            if was_in or self._contributed(part):
                people.append(Subject("member", member) if self.query.whole_person else part)
        return people

    def _contributed(self, part: Subject) -> bool:
        windows = (self.period, *self.windows)
        return any(self.figures(kpi).met(Place(part, window)) for kpi in self.query.kpis for window in windows)

    # ---------------------------------------------------------------------------------------------- groups

    def _groups(self, subject: Subject) -> Sequence[Group | None]:
        """Every group that anything was found in, or the top ones and the rest."""
        by = self.query.group_by
        if by is None:
            return [None]
        found = self._values_met(self.query.kpis, subject, self.windows)
        if by.top is None:
            return [group_of(value) for value in found.values()]
        first, leading = self.query.subjects[0], self.figures(self.query.kpis[0])
        met = self._held(by.attribute) if by.attribute else {}
        for each in self.query.subjects if by.event else ():
            whole = Subject("team", each.key) if each.kind == "members_of" else each
            met |= self._values_met(self.query.kpis, whole, windows=())
        ranked = [
            (group_of(value), leading.cell(Place(first, self.period, group_of(value))).value) for value in met.values()
        ]
        kept = top_groups(ranked, by.top)
        shown = [group for group, _ in ranked if group_text(group.value) in kept]
        return [*shown, *([Group("rest", kept=kept)] if found.keys() - kept else [])]

    def _held(self, attribute: str) -> dict[str, PropertyValue | None]:
        """What somebody is on a day of the period, whatever was found of them; and nothing."""
        held: set[str | None] = {
            attribute_of(member, day, attribute, self.snapshot)
            for member in self.snapshot.members
            for day in self.period.days()
        }
        return {group_text(value): value for value in (*held, None)}

    def _values_met(
        self, kpis: Sequence[str], subject: Subject, windows: Sequence[Window]
    ) -> dict[str, PropertyValue | None]:
        """The values by which what was found for a subject is grouped, by their texts; over the total, and windows."""
        met: dict[str, PropertyValue | None] = {}
        for kpi in kpis:
            for window in (self.period, *windows):
                for entry in self.figures(kpi).met(Place(subject, window)):
                    if entry.state != "skipped" or entry.is_young:
                        met |= {group_text(value): value for value in self._values(entry)}
        return met

    def _values(self, entry: Entry) -> list[PropertyValue | None]:
        by = self.query.group_by
        assert by is not None
        if by.event is not None:
            return [value_of(entry.fact, by.event, self.snapshot)]
        assert by.attribute is not None
        fact = entry.credited
        members = {self.snapshot.member_behind(credit.identity, fact.day) for credit in fact.content.all_credits}
        return [attribute_of(member, fact.day, by.attribute, self.snapshot) for member in members or {None}]

    # ---------------------------------------------------------------------------------------------- series

    def _series(self, kpi: str, subject: Subject, group: Group | None) -> Series:
        figures, place = self.figures(kpi), Place(subject, self.period, group)
        comparisons = {way: self._comparison(way, figures, place) for way in self.query.compare}
        cells = tuple(figures.cell(replace(place, window=window)) for window in self.windows)
        return Series(kpi, subject, group, cells, figures.cell(place), comparisons)

    def _comparison(self, way: Compare, figures: Figures, place: Place) -> Comparison:
        """With the windows of the period before, by position; or with each window's own of a year before (S21)."""
        total = shifted("previous" if way == "previous_period" else way, self.period, self.snapshot)
        if way == "previous_period":
            assert total is not None
            week_start = self.snapshot.settings.week_start
            earlier: list[Window | None] = list(days.windows(total, self.query.grain, week_start))
            paired = [earlier[n] if n < len(earlier) else None for n in range(len(self.windows))]
        else:
            paired = [days.a_year_before(window) for window in self.windows]
        return Comparison(
            tuple(NO_DATA if each is None else figures.cell(replace(place, window=each)) for each in paired),
            NO_DATA if total is None else figures.cell(replace(place, window=total)),
            self._to_date(figures, place, total),
            tuple(
                self._to_date(figures, replace(place, window=window), other)
                for window, other in zip(self.windows, paired, strict=True)
            ),
        )

    def _to_date(self, figures: Figures, place: Place, before: Window | None) -> ToDate | None:
        """Like for like; nothing for a complete window, or before its first working day is past (S21)."""
        snapshot, window = self.snapshot, place.window
        count = days.working_days_past(window, snapshot.at, snapshot.zone, snapshot.working_days)
        if before is None or days.is_complete(window, snapshot.at, snapshot.zone) or count == 0:
            return None
        now, then = (days.cut_at_working_day(each, count, snapshot.working_days) for each in (window, before))
        return ToDate(count, figures.cell(replace(place, window=now)), figures.cell(replace(place, window=then)))
