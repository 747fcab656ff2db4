"""Strengths, weaknesses, who needs help, and customers at risk, found when asked (V4, V7). The guide has the rules."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncSession

from app.kpis.attribution import Attributor, Subject
from app.kpis.measures import Scope
from app.kpis.questions import Answer, Cell, MembersOf
from app.results import benchmark, signals, wording
from app.results import findings_schemas as schemas
from app.results.asking import Asking, Moment, heading, moment, pointing, question
from app.results.benchmark import Direction
from app.results.benchmarking import LEAST_SAMPLE, unranked
from app.results.charts import can_be_negative
from app.results.customers import Customer, load_customers
from app.results.rhythm import rhythm
from app.results.service import filter_of, subject_out
from app.teams.structure import load_structure

LEAST_PEOPLE = 5
WEEKS = 26
_GRAVITY = {"high": 0, "medium": 1, "info": 2}


async def find(asking: Asking, query: schemas.FindingQuery) -> schemas.Findings:
    """Everything that was found, from one snapshot."""
    async with asking.at(query.as_of, query.known_at) as session:
        seen = await moment(session, asking.org_id, query.as_of, query.known_at)
        with pointing({"/subjects/0": "/team"}):
            search = await _Search.begun(asking, session, query, seen)
        await search.look_at_people()
        await search.look_at_customers()
    return search.told()


@dataclass(frozen=True)
class _Standing:
    """How a person's value stands among those that are compared."""

    cell: Cell
    side: str | None  # strength, weakness, or between
    spread: benchmark.Spread
    people: int


class _Search:
    """One question, with what was found so far."""

    def __init__(
        self, asking: Asking, session: AsyncSession, query: schemas.FindingQuery, seen: Moment, answer: Answer
    ) -> None:
        self._asking, self._session, self._query = asking, session, query
        self._seen, self._answer = seen, answer
        self._people = [subject for subject in answer.names if subject.kind == "member"]
        self._customers: Mapping[str, Customer] = {}
        self._found: list[schemas.Finding] = []
        self._missing: Counter[tuple[Any, Any]] = Counter()

    @classmethod
    async def begun(cls, asking: Asking, session: AsyncSession, query: schemas.FindingQuery, seen: Moment) -> "_Search":
        """With the figures of everybody in scope."""
        subjects = await _in_scope(asking, session, query, seen)
        answer = await asking.compute(session, question(query, seen, query.kpis, subjects, query.period))
        return cls(asking, session, query, seen, answer)

    # ------------------------------------------------------------------------------------------------- people

    async def look_at_people(self) -> None:
        """Strengths and weaknesses by quartiles; who has many of one; and whose recent weeks are a bad signal."""
        standings: dict[Subject, dict[str, _Standing]] = {person: {} for person in self._people}
        for kpi in self._answer.kpis:
            for person, standing in self._standings(kpi).items():
                standings[person][kpi] = standing
        for person, by_kpi in standings.items():
            self._found += self._of_person(person, by_kpi)
        await self._look_at_weeks()

    def _standings(self, kpi: str) -> dict[Subject, _Standing]:
        face = self._answer.kpis[kpi]
        least = self._query.minimum_sample
        if least is None:
            least = 0 if face.is_additive else LEAST_SAMPLE
        cells = {series.subject: series.total for series in self._answer.series if series.kpi == kpi}
        values: dict[Subject, Decimal] = {}
        for person in self._people:
            reason = unranked(cells[person], least)
            if reason is not None:
                self._missing["weakness", "sample_too_small" if reason == "sample_too_small" else "no_data"] += 1
            elif (value := cells[person].value) is not None:
                values[person] = value
        if len(values) < LEAST_PEOPLE or face.direction == "maintain":
            if values and face.direction != "maintain":
                self._missing["weakness", "too_few_people"] += len(values)
            return {}
        spread = benchmark.spread(list(values.values()))
        return {
            person: _Standing(
                cells[person], _side(value, spread, cast("Direction", face.direction)), spread, len(values)
            )
            for person, value in values.items()
        }

    def _of_person(self, person: Subject, by_kpi: Mapping[str, _Standing]) -> Iterator[schemas.Finding]:
        sides = Counter(standing.side for standing in by_kpi.values())
        for kpi, standing in by_kpi.items():
            if standing.side is not None:
                yield self._strength(person, kpi, standing)
        strong, weak, judged = sides["strength"], sides["weakness"], len(by_kpi)
        if 2 * strong > judged and not weak:
            yield self._overall("top_performer", "info", person, by_kpi, "strength", strong)
        if 2 * weak > judged and not strong:
            # One KPI is little to judge a person by.
            yield self._overall("needs_help", "high" if weak > 1 else "medium", person, by_kpi, "weakness", weak)

    def _strength(self, person: Subject, kpi: str, standing: _Standing) -> schemas.Finding:
        is_good = standing.side == "strength"
        return schemas.Finding(
            kind="strength" if is_good else "weakness",
            severity="info" if is_good else "medium",
            member=self._person(person),
            customer=None,
            sentence=self._told_of(kpi, person, standing),
            figures=[
                self._figure(kpi, kpi, standing.cell),
                schemas.FindingFigure(
                    name=f"median of {kpi}",
                    value=standing.spread.median,
                    unit=self._unit(kpi),
                    status="ok",
                    sample=standing.people,
                ),
            ],
            opens=self._explain(kpi, person),
        )

    def _told_of(self, kpi: str, person: Subject, standing: _Standing) -> str:
        """Where the value stands; 'in the quarter' would be untrue where many share the quartile."""
        face, spread, currency = self._answer.kpis[kpi], standing.spread, self._answer.currency
        is_low = (standing.side == "weakness") == (face.direction == "increase")
        place, quartile = (
            ("below the lower", spread.lower_quartile) if is_low else ("above the upper", spread.upper_quartile)
        )
        value = wording.written(standing.cell.value or Decimal(0), face, currency)
        return (
            f"{self._answer.names[person]} is at {value} by {face.name}, at or {place} quartile of {standing.people} "
            f"people, {wording.between(quartile, face, currency)}; their median is "
            f"{wording.between(spread.median, face, currency)}."
        )

    def _overall(
        self, kind: Any, severity: Any, person: Subject, by_kpi: Mapping[str, _Standing], side: str, number: int
    ) -> schemas.Finding:
        kpis = [kpi for kpi, standing in by_kpi.items() if standing.side == side]
        other = "weakness" if side == "strength" else "strength"
        compared = f"{number} of the {len(by_kpi)} KPIs" if len(by_kpi) > 1 else "the only KPI"
        names = ", ".join(self._answer.kpis[kpi].name for kpi in kpis)
        return schemas.Finding(
            kind=kind,
            severity=severity,
            member=self._person(person),
            customer=None,
            sentence=f"{self._answer.names[person]} has a {side} in {compared} that could be compared ({names}), "
            f"and no {other}.",
            figures=[self._figure(kpi, kpi, by_kpi[kpi].cell) for kpi in kpis],
            opens=self._explain(kpis[0], person),
        )

    async def _look_at_weeks(self) -> None:
        """Whose latest complete week belongs to a signal on the worse side (S28): before it becomes a problem."""
        # So many people at a time that each answer is within the limit.
        at_once = max(1, self._asking.max_cells // (len(self._answer.kpis) * (WEEKS + 2)))
        for start in range(0, len(self._people), at_once):
            await self._look_at_weeks_of(self._people[start : start + at_once])

    async def _look_at_weeks_of(self, people: Sequence[Subject]) -> None:
        today = self._seen.today
        start, end = today - timedelta(days=7 * WEEKS), today - timedelta(days=1)
        asked = question(self._query, self._seen, self._query.kpis, people, f"{start}..{end}", grain="week")
        answer = await self._asking.compute(self._session, asked)
        whole = [not window.is_partial for window in answer.windows]
        falls = {
            kpi: await can_be_negative(self._session, self._asking.org_id, kpi, answer.known_at) for kpi in answer.kpis
        }
        for series in answer.series:
            direction = answer.kpis[series.kpi].direction
            used = [
                (place, cell)
                for place, cell in enumerate(series.cells)
                if whole[place] and cell.status == "ok" and cell.value is not None
            ]
            values = [cell.value for _, cell in used if cell.value is not None]
            if len(values) < signals.LEAST_VALUES:
                self._missing["declining", "too_few_values"] += 1
                continue
            limits = signals.limits(values, cannot_be_negative=not falls[series.kpi] and min(values) >= 0)
            worse = "below" if direction == "increase" else "above"
            bad = [
                signal
                for signal in signals.signals(values, limits)
                if signal.side == worse and signal.places[-1] == len(values) - 1
            ]
            if bad and direction != "maintain":
                window = answer.windows[used[-1][0]]
                days = f"{window.start}..{window.end - timedelta(days=1)}"
                self._found.append(self._declining(series.kpi, series.subject, used[-1][1], limits, days, len(values)))

    def _declining(
        self, kpi: str, person: Subject, cell: Cell, limits: signals.Limits, days: str, weeks: int
    ) -> schemas.Finding:
        face, currency = self._answer.kpis[kpi], self._answer.currency
        value = wording.written(cell.value or Decimal(0), face, currency)
        first, _, last = days.partition("..")
        mean = schemas.FindingFigure(
            name=f"weekly mean of {kpi}", value=limits.mean, unit=self._unit(kpi), status="ok", sample=weeks
        )
        return schemas.Finding(
            kind="declining",
            severity="medium",
            member=self._person(person),
            customer=None,
            sentence=f"{self._answer.names[person]} was at {value} by {face.name} in the week from {first} to {last}, "
            f"which belongs to a signal for the worse; the mean of {weeks} weeks is "
            f"{wording.between(limits.mean, face, currency)}.",
            figures=[self._figure(kpi, kpi, cell), mean],
            opens=self._explain(kpi, person, days),
        )

    # ---------------------------------------------------------------------------------------------- customers

    async def look_at_customers(self) -> None:
        """Whose silence is longer than their habits explain, and who has not been contacted for long."""
        seen, query = self._seen, self._query
        scope = Scope(
            org_id=self._asking.org_id,
            known_at=seen.known_at,
            at=seen.at,
            time_zone=seen.cut.zone.key,
            currency=self._answer.currency,
            where=filter_of(query.where),
        )
        identities = None
        if query.team is not None:
            structure = await load_structure(self._session, self._asking.org_id, seen.known_at)
            attributor = Attributor(structure, query.attribution, seen.today)
            identities = {span.identity_id for span in attributor.spans(Subject("team", query.team))}
        self._customers = await load_customers(
            self._session, scope, seen.today, query.habits, query.contacts, identities
        )
        for name, customer in sorted(self._customers.items()):
            if not customer.has_left:
                self._found += self._of_customer(name, customer)

    def _of_customer(self, name: str, customer: Customer) -> Iterator[schemas.Finding]:
        told = rhythm(customer.habits, self._seen.today)
        if told is None:
            self._missing["customer_at_risk", "too_few_gaps"] += 1
        elif told.is_broken:
            days, usual = self._days, wording.days(told.usual)
            yield self._customer(
                "customer_at_risk",
                "high" if told.silence > 2 * told.limit else "medium",
                name,
                f"Nothing from {name} for {wording.days(told.silence)}; the usual gap is {usual}.",
                [
                    days("days of silence", Decimal(told.silence), told.gaps),
                    days("usual gap", told.usual, told.gaps),
                    days("longest usual silence", told.limit, told.gaps),
                    *self._known(customer),
                ],
            )
        # Where no contact is known a customer has waited since their first deal.
        since = customer.last_contact or customer.first_deal
        waited = (self._seen.today - since).days if since else 0
        if (customer.has_won or customer.open_deals) and waited > self._query.contact_every:
            yield self._customer(
                "not_contacted",
                "high" if waited > 2 * self._query.contact_every else "medium",
                name,
                f"Nobody has been in contact with {name} for {wording.days(waited)}."
                if customer.last_contact
                else f"No contact with {name} is known; their first deal in two years was {wording.days(waited)} ago.",
                self._known(customer),
            )

    def _known(self, customer: Customer) -> list[schemas.FindingFigure]:
        last = customer.last_contact
        since = Decimal((self._seen.today - last).days) if last else None
        contact = self._days("days since the last contact", since, customer.contacts)
        deals = schemas.FindingFigure(
            name="open deals", value=Decimal(customer.open_deals), unit="count", status="ok", sample=customer.open_deals
        )
        return [contact, deals]

    def _days(self, name: str, value: Decimal | None, sample: int) -> schemas.FindingFigure:
        status: Any = "ok" if value is not None else "no_data"
        return schemas.FindingFigure(name=name, value=value, unit="days", status=status, sample=sample)

    def _customer(
        self, kind: Any, severity: Any, name: str, sentence: str, figures: list[schemas.FindingFigure]
    ) -> schemas.Finding:
        opens = schemas.Opens(method="GET", path="/v1/events", body=None, parameters={"about": f"customer:{name}"})
        return schemas.Finding(
            kind=kind, severity=severity, member=None, customer=name, sentence=sentence, figures=figures, opens=opens
        )

    # ---------------------------------------------------------------------------------------------- answering

    def _person(self, person: Subject) -> Any:
        return subject_out(person, self._answer.names.get(person))

    def _unit(self, kpi: str) -> str:
        return self._answer.kpis[kpi].unit.get("kind", "number")

    def _figure(self, name: str, kpi: str, cell: Cell) -> schemas.FindingFigure:
        return schemas.FindingFigure(
            name=name, value=cell.value, unit=self._unit(kpi), status=cell.status, sample=cell.sample
        )

    def _explain(self, kpi: str, person: Subject, period: str | None = None) -> schemas.Opens:
        within = {"within_team": str(person.within)} if person.within else {}
        body = {"kpi": kpi, "subject": {"member": str(person.id)}, "period": period or self._answer.period.label}
        return schemas.Opens(method="POST", path="/v1/kpi-results/explain", body={**body, **within}, parameters=None)

    def told(self) -> schemas.Findings:
        """The gravest first, and what could not be judged."""
        ordered = sorted(self._found, key=lambda each: (_GRAVITY[each.severity], each.kind, each.sentence))
        limit = self._query.limit
        return schemas.Findings(
            **heading(self._answer),
            period=self._answer.period.label,
            members=len(self._people),
            customers=len(self._customers),
            findings=ordered[:limit],
            left_out=max(0, len(ordered) - limit),
            not_judged=[
                schemas.NotJudged(kind=kind, reason=reason, count=count)
                for (kind, reason), count in sorted(self._missing.items())
            ],
        )


async def _in_scope(
    asking: Asking, session: AsyncSession, query: schemas.FindingQuery, seen: Moment
) -> Sequence[Subject | MembersOf]:
    """The people of the team, or everybody who is in a team today."""
    if query.team is not None:
        return [MembersOf(query.team)]
    structure = await load_structure(session, asking.org_id, seen.known_at)
    people = {
        row.member_id
        for row in structure.memberships
        if (row.start is None or row.start <= seen.today) and (row.end is None or row.end > seen.today)
    }
    if not people:
        return [Subject("organization")]
    members = structure.members
    return [Subject("member", id_) for id_ in sorted(people, key=lambda id_: (members[id_].name, str(id_)))]


def _side(value: Decimal, spread: benchmark.Spread, direction: Direction) -> str | None:
    """At or beyond the better or the worse quartile, and not at the median, which many may share.

    Nobody where the middle half is one value.
    """
    if spread.lower_quartile == spread.upper_quartile:
        return None
    lower, upper = spread.lower_quartile, spread.upper_quartile
    best, worst = (upper, lower) if direction == "increase" else (lower, upper)
    match benchmark.lead(value, spread.median, direction):
        case "better" if benchmark.lead(value, best, direction) != "worse":
            return "strength"
        case "worse" if benchmark.lead(value, worst, direction) != "better":
            return "weakness"
    return None
