"""Answers from figures kept ready are those of the ledger: built, half built, stale, and while they are being kept."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.kpis.definition import Aggregate, EventMeasure, Measure
from app.kpis.expressions.syntax import Call, walk
from app.kpis.partials.shapes import AMOUNT
from tests.reference import golden, results, worlds
from tests.reference.questions import Query
from tests.reference.steps import AddKpi, AddKpiVersion, Step, build, play
from tests.reference.story import Example
from tests.results.replay import differences, replay
from tests.support import World

# `--hypothesis-profile=long` searches for longer.
SEARCHES = settings().max_examples
HEALTH = list(HealthCheck)
# Each example is a company of its own: shrinking one would take minutes.
FOUND = [Phase.explicit, Phase.reuse, Phase.generate]
CONFIGURATIONS = st.sampled_from(["built", "half built", "stale", "being kept"])


@pytest.mark.parametrize("example", golden.EXAMPLES, ids=lambda example: example.name)
async def test_a_worked_example_gives_the_same_figures_from_what_is_kept(world: World, example: Example) -> None:
    replayed = await replay(world, tuple(example.steps))
    reference = build(example.steps)
    for asked in example.asked:
        await replayed.api.set_clock(asked.now)
        await replayed.keep()
        answer = await replayed.ask(asked.query, asked.now)
        assert differences(answer, results.compute(reference, asked.query, asked.now), replayed.ids) == []


@pytest.mark.timeout(900)
@settings(deadline=None, suppress_health_check=HEALTH, max_examples=max(SEARCHES // 5, 1), phases=FOUND)
@given(data=st.data())
async def test_random_histories_and_questions_give_the_same_figures_however_far_they_are_kept(
    world: World, data: st.DataObject
) -> None:
    """And without anything that is kept every answer is the same, as JSON."""
    case = data.draw(worlds.cases(queries=6))
    if data.draw(st.integers(0, 3)):
        case = replace(case, steps=tuple(_adding_up(step) for step in case.steps))
    queries = [_of_the_present(query) if data.draw(st.integers(0, 5)) else query for query in case.queries]
    kept = data.draw(CONFIGURATIONS)
    reference, _ = play(case.steps)
    replayed = await replay(world, case.steps, until=1)
    for step in case.steps[1:]:
        await replayed.run(step)
        if kept != "built" and data.draw(st.integers(0, 3)) == 0:
            await replayed.keep(data.draw(st.integers(1, 3)), workers=data.draw(st.integers(1, 2)))
    await replayed.api.set_clock(case.now)
    if kept == "built":
        await replayed.keep()
    elif kept == "half built":
        await replayed.keep(data.draw(st.integers(1, 4)))
    keeping = asyncio.create_task(replayed.keep(None if kept == "being kept" else 0, workers=2))
    answers = []
    for query in queries:
        answers.append(await replayed.ask(query, case.now))
        assert differences(answers[-1], results.compute(reference, query, case.now), replayed.ids) == [], query
    await keeping
    for _ in range(2):
        for query, answer in zip(queries, answers, strict=True):
            again = await replayed.ask(query, case.now)
            assert {key for key in answer if answer[key] != again[key]} <= {"known_at"}, (query, answer, again)
        await replayed.drop_kept()


def _of_the_present(query: Query) -> Query:
    """The question as of now, without a filter on top: such are the ones that kept figures can answer."""
    group_by = query.group_by if query.group_by is not None and query.group_by.event is None else None
    return replace(query, as_of=None, known_at=None, where=None, group_by=group_by)


# Another aggregate of the same unit that adds up.
_ADDING_UP = {
    Aggregate.COUNT_DISTINCT: Aggregate.COUNT,
    Aggregate.MEDIAN: Aggregate.AVG,
    Aggregate.PERCENTILE: Aggregate.MAX,
    Aggregate.FIRST: Aggregate.MIN,
    Aggregate.LAST: Aggregate.SUM,
}


def _adding_up(step: Step) -> Step:
    """The step, with measures over single events that can be kept."""
    if not isinstance(step, AddKpi | AddKpiVersion):
        return step
    measures = {key: _kept(measure) for key, measure in step.definition.measures.items()}
    return replace(step, definition=replace(step.definition, measures=measures))


def _kept(measure: Measure) -> Measure:
    if not isinstance(measure, EventMeasure):
        return measure
    where = measure.where
    if where is not None and any(node == AMOUNT or isinstance(node, Call) for node in walk(where)):
        where = None
    aggregate = _ADDING_UP.get(measure.aggregate, measure.aggregate)
    return replace(measure, aggregate=aggregate, role="owner", where=where, of=None, p=None)
