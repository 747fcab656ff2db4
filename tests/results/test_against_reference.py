"""The API answers what the slow reference answers: the worked examples, and random histories and questions."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.reference import golden, results, worlds
from tests.reference.definitions import counted
from tests.reference.events_random import SOURCES
from tests.reference.ledger import Item
from tests.reference.questions import Query
from tests.reference.steps import AddKpi, PostEvents, Step, build, play
from tests.reference.story import AUGUST, Example, Story, event
from tests.reference.wire import query_json
from tests.results.replay import differences, replay, set_counts
from tests.support import World

# `--hypothesis-profile=long` searches for longer.
SEARCHES = settings().max_examples
HEALTH = list(HealthCheck)
ROLL_CALL = 2  # the first batches of a script only make the identities known


@pytest.mark.parametrize("example", golden.EXAMPLES, ids=lambda example: example.name)
async def test_a_worked_example_gives_the_figures_of_the_paper(world: World, example: Example) -> None:
    replayed = await replay(world, tuple(step for step in example.steps))
    reference = build(example.steps)
    for asked in example.asked:
        answer = await replayed.ask(asked.query, asked.now)
        assert differences(answer, results.compute(reference, asked.query, asked.now), replayed.ids) == []


@settings(deadline=None, suppress_health_check=HEALTH, max_examples=max(SEARCHES // 2, 1))
@given(data=st.data())
async def test_random_histories_and_questions_give_the_figures_of_the_reference(
    world: World, data: st.DataObject
) -> None:
    case = data.draw(worlds.cases())
    reference, outcomes = play(case.steps)
    replayed = await replay(world, case.steps)
    posts = [step for step in case.steps if isinstance(step, PostEvents)]
    assert replayed.outcomes == [[str(outcome) for outcome in each] for each in outcomes], posts
    for query in case.queries:
        answer = await replayed.ask(query, case.now)
        assert differences(answer, results.compute(reference, query, case.now), replayed.ids) == [], query


@settings(deadline=None, suppress_health_check=HEALTH, max_examples=max(SEARCHES // 12, 1))
@given(data=st.data())
async def test_neither_the_order_of_arrival_nor_a_replay_changes_an_answer(world: World, data: st.DataObject) -> None:
    """Distinct versions in any order, or what stands in the end by itself, posted after all else (S5, S6)."""
    case = data.draw(worlds.cases(changes=6, queries=3))
    queries = [replace(query, as_of=None, known_at=None) for query in case.queries]
    shuffled = data.draw(st.permutations(_distinct_versions(case.steps)))
    for posted in (shuffled, _standing(shuffled)):
        script = _with_posts(case.steps, posted)
        replayed = await replay(world, script)
        for query in queries:
            expected = results.compute(build(_with_posts(case.steps, _distinct_versions(case.steps))), query, case.now)
            answer = await replayed.ask(query, case.now)
            assert differences(answer, expected, replayed.ids) == [], query


def _distinct_versions(steps: Sequence[Step]) -> list[tuple[str, Item]]:
    """The first item that was posted of each version, in order."""
    first: dict[tuple[str, str, int], tuple[str, Item]] = {}
    for post in _posts(steps):
        for item in post.items:
            first.setdefault((post.source, item.external_id, item.version), (post.source, item))
    return list(first.values())


def _standing(posted: Sequence[tuple[str, Item]]) -> list[tuple[str, Item]]:
    """Of each event its highest version."""
    highest: dict[tuple[str, str], tuple[str, Item]] = {}
    for source, item in sorted(posted, key=lambda each: each[1].version):
        highest[source, item.external_id] = (source, item)
    return list(highest.values())


def _posts(steps: Sequence[Step]) -> list[PostEvents]:
    return [step for step in steps if isinstance(step, PostEvents)][ROLL_CALL:]


def _with_posts(steps: Sequence[Step], posted: Sequence[tuple[str, Item]]) -> tuple[Step, ...]:
    """The script with these items, one source's after the other's, instead of its own."""
    own = _posts(steps)
    kept = [step for step in steps if step not in own]
    at = steps[-1].at
    batches = [
        PostEvents(
            at=at + timedelta(milliseconds=number),
            source=source,
            items=tuple(item for of_source, item in posted if of_source == source),
        )
        for number, source in enumerate(SOURCES, start=1)
    ]
    return (*kept, *(batch for batch in batches if batch.items))


@settings(deadline=None, suppress_health_check=HEALTH, max_examples=max(SEARCHES // 12, 1))
@given(data=st.data())
async def test_an_answer_as_of_an_instant_never_changes_whatever_is_done_later(
    world: World, data: st.DataObject
) -> None:
    """S5: every word of it."""
    case = data.draw(worlds.cases(queries=3))
    half = data.draw(st.integers(len(case.steps) // 2, len(case.steps) - 1))
    replayed = await replay(world, case.steps, until=half)
    at = case.steps[half - 1].at + timedelta(milliseconds=500)
    queries = [replace(query, as_of=at, known_at=None, versions={}) for query in case.queries]
    kpis = {step.kpi for step in case.steps[:half] if isinstance(step, AddKpi)}
    queries = [query for query in queries if set(query.kpis) <= kpis and query.rate_set is None]
    before = [await replayed.ask(query, at) for query in queries]
    for step in case.steps[half:]:
        await replayed.run(step)
    assert [await replayed.ask(query, case.now) for query in queries] == before


async def test_an_answer_as_of_an_instant_waits_for_writers_that_overlap_it(world: World) -> None:
    """S5: what took its place before T is in the answer, what comes after it never is."""
    story = Story()
    story.then(AddKpi, kpi="calls", definition=counted("call.made"))
    story.post(event("call.made", "2026-05-05T10:00:00"))
    replayed = await replay(world, tuple(story.steps))
    api = replayed.api
    await api.set_clock(AUGUST)
    question = query_json(Query(kpis=("calls",), period="2026-05", as_of=AUGUST), replayed.ids)
    call = {"external_id": "later", "type": "call.made", "occurred_at": "2026-05-06T10:00:00Z"}
    async with world.database.write(api.org_id) as session:
        await set_counts(session, replayed, "api", frozenset({"call.received"}))
        asking = asyncio.create_task(api.post("/kpi-results/query", question, expect=200))
        done, _ = await asyncio.wait([asking], timeout=0.5)
        assert not done
        writing = asyncio.create_task(api.post("/events", call))
    answer = await asking
    await writing
    assert answer["series"][0]["total"]["value"] == 0
    async with world.database.write(api.org_id) as session:
        await set_counts(session, replayed, "api", None)
    assert await api.post("/kpi-results/query", question, expect=200) == answer
    assert (await api.post("/kpi-results/query", question | {"as_of": None}))["series"][0]["total"]["value"] == 2
