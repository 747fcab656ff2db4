"""Statements are made once and asked again: nothing of the question for which one was made may stay in it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

import pytest

from app.core.db import Ready
from app.kpis.attribution import ALL_TIME, Days, Span
from app.kpis.definition import Aggregate, ElapsedMeasure, EventMeasure, Measure, OpenMeasure
from app.kpis.expressions.checker import parse_filter
from app.kpis.expressions.syntax import Name
from app.kpis.measures import Audience, CurrencyFactors, Grouping, Union, WorkingClock, asking, statement
from tests.kpis.asking import EVERYBODY, JULY, event, identity, ingest, rows, scope_of, selection
from tests.migrations.sql_rules import findings
from tests.support import Api

JUNE, EARLY, LATE = (
    Days(date(2026, 6, 1), date(2026, 7, 1)),
    Days(date(2026, 7, 1), date(2026, 7, 7)),
    Days(date(2026, 7, 7), date(2026, 7, 13)),
)
BY_LEAD = Name(("about", "lead"))
COUNT = EventMeasure(aggregate=Aggregate.COUNT, events=("call.made",))
TALKED = EventMeasure(aggregate=Aggregate.COVERED, events=("call.made",))
MEASURES: tuple[Measure, ...] = (
    COUNT,
    EventMeasure(aggregate=Aggregate.SUM, events=("deal.won",), value=Name(("amount",))),
    EventMeasure(aggregate=Aggregate.MEDIAN, events=("call.made",), value=Name(("duration_seconds",))),
    EventMeasure(aggregate=Aggregate.COUNT_DISTINCT, events=("call.made",), of=BY_LEAD),
    EventMeasure(aggregate=Aggregate.COUNT, events=("call.made",), where=parse_filter("nth(lead) == 1")),
    ElapsedMeasure(
        aggregate=Aggregate.AVG,
        start=selection("lead.created"),
        end=selection("call.made"),
        match="lead",
        clock="working_hours",
    ),
    OpenMeasure(aggregate=Aggregate.COUNT, start=selection("lead.created"), end=selection("call.made"), match="lead"),
    TALKED,
)


@dataclass
class Question:
    """One of two that have one statement."""

    at: datetime
    windows: Sequence[Days]
    unions: Sequence[Union]
    rate: Decimal
    group: str
    opens: int
    who: str

    async def ask(self, api: Api, audience: Callable[..., Audience]) -> list[Any]:
        """The rows of all measures, for whom `audience` makes of the identity."""
        own = await identity(api, self.who)
        member = own if self.who == "ana" else api.org_id
        scope = await scope_of(
            api,
            self.at,
            factors=[CurrencyFactors("USD", [(date(2026, 1, 1), date(2027, 1, 1), self.rate, Decimal(1))])],
            grouping=Grouping(BY_LEAD, [self.group]),
            clock=WorkingClock([[_office(n, self.opens) for n in (6, 7, 8, 9, 10)]], [(own, *ALL_TIME, 0)]),
            persons=[(own, *ALL_TIME, member)] if self.who == "ana" else [],
        )
        return await rows(api, MEASURES, self.windows, audience=audience(own), unions=self.unions, scope=scope)


def _office(day: int, opens: int) -> tuple[datetime, datetime]:
    return datetime(2026, 7, day, opens, tzinfo=UTC), datetime(2026, 7, day, 16, tzinfo=UTC)


ONE = Question(
    at=datetime(2026, 7, 13, 10, tzinfo=UTC),
    windows=[EARLY, JULY],
    unions=[((0, JULY), (4, JULY))],
    rate=Decimal("0.9"),
    group='"L1"',
    opens=8,
    who="ana",
)
OTHER = Question(
    at=datetime(2026, 7, 9, 10, tzinfo=UTC),
    windows=[JUNE, EARLY, LATE],
    unions=[((0, EARLY), (4, EARLY)), ((0, LATE), (4, LATE))],
    rate=Decimal("0.5"),
    group='"L2"',
    opens=9,
    who="bo",
)


def _of_everybody(_: Any) -> Audience:
    return EVERYBODY


def _of_one(who: Any) -> Audience:
    return Audience([], [(3, Span(who, ALL_TIME))])


@pytest.mark.parametrize("audience", [_of_everybody, _of_one])
async def test_a_statement_that_was_made_for_another_question_answers_as_one_of_its_own(
    audience: Callable[..., Audience], api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _furnish(api)
    made = []

    def make(*given: Any) -> Any:
        made.append(given)
        return statement(*given)

    monkeypatch.setattr(asking, "statement", make)
    own = {}
    for name, question in (("one", ONE), ("other", OTHER)):
        asking.forget()
        own[name] = await question.ask(api, audience)
        assert own[name]
    assert len(made) == 2
    assert await ONE.ask(api, audience) == own["one"]
    assert await OTHER.ask(api, audience) == own["other"]
    assert len(made) == 2
    assert own["one"] != own["other"]


async def test_windows_that_overlap_otherwise_have_another_statement(api: Api) -> None:
    await _furnish(api)
    apart = await rows(api, [COUNT], [EARLY, LATE])
    nested = await rows(api, [COUNT], [EARLY, JULY, LATE])
    assert [(each.window, each.a) for each in apart] == [(0, 1), (1, 1)]
    assert [(each.window, each.a) for each in nested] == [(0, 1), (1, 2), (2, 1)]


@pytest.mark.parametrize("audience", [_of_everybody, _of_one])
@pytest.mark.parametrize("at", ["start", "end"])
async def test_an_only_window_has_the_figures_that_it_has_among_others(
    audience: Callable[..., Audience], at: Literal["start", "end"], api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _furnish(api)
    there = OpenMeasure(
        aggregate=Aggregate.COUNT, start=selection("lead.created"), end=selection("call.made"), match="lead", at=at
    )
    monkeypatch.setitem(globals(), "MEASURES", (*MEASURES, there))
    windows = [JUNE, EARLY, LATE, JULY]
    among = await replace(ONE, windows=windows, unions=[]).ask(api, audience)
    assert among
    for number, days in enumerate(windows):
        alone = await replace(ONE, windows=[days], unions=[]).ask(api, audience)
        assert [each._replace(window=number) for each in alone] == [each for each in among if each.window == number]


async def test_statements_with_all_that_a_question_may_have_keep_the_rules(api: Api) -> None:
    scope = await scope_of(
        api,
        where="nth(lead) == 1 and amount > 5",
        factors=[CurrencyFactors("USD", [(date(2026, 1, 1), date(2027, 1, 1), Decimal("0.9"), Decimal(1))])],
        grouping=Grouping(BY_LEAD, ['"L1"']),
        clock=WorkingClock([[_office(6, 8)]], []),
        kept_from=date(2025, 1, 1),
    )
    for audience in (EVERYBODY, _of_one(api.org_id)):
        text = Ready(statement(scope, audience, OTHER.windows, MEASURES, OTHER.unions), is_listed=False).text
        assert findings(text) == ()


async def _furnish(api: Api) -> None:
    ana, bo = ({"actor": {"id": name}} for name in ("ana", "bo"))
    await ingest(
        api,
        event("1", "lead.created", "07-06 07:00", "L1", **ana),
        event("2", "lead.created", "07-06 07:00", "L2", **bo),
        event("3", "call.made", "07-06 10:00", "L1", duration_seconds=60, **ana),
        event("4", "call.made", "07-08 10:00", "L2", duration_seconds=90, **bo),
        event("5", "deal.won", "07-06 10:00", "L1", amount={"value": "10", "currency": "USD"}, **ana),
        event("6", "deal.won", "07-08 10:00", "L2", amount={"value": "20", "currency": "USD"}, **bo),
    )
