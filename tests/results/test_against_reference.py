"""The API answers what the slow reference answers: the worked examples, and random histories and questions."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.reference import golden, results, worlds
from tests.reference.steps import PostEvents, build, play
from tests.results.replay import differences, replay
from tests.support import World


@pytest.mark.parametrize("example", golden.EXAMPLES, ids=lambda example: example.name)
async def test_a_worked_example_gives_the_figures_of_the_paper(world: World, example: golden.Example) -> None:
    replayed = await replay(world, tuple(step for step in example.steps))
    reference = build(example.steps)
    for asked in example.asked:
        answer = await replayed.ask(asked.query, asked.now)
        assert differences(answer, results.compute(reference, asked.query, asked.now), replayed.ids) == []


# `--hypothesis-profile=long` searches for longer.
@settings(deadline=None, suppress_health_check=list(HealthCheck))
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
