"""The story is the same each time, and the CRMs' messages tell it whatever their order."""

import json
from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from app.demo import hubspot, pipedrive, post
from app.demo.people import EVERYBODY, JOIN_DAY, LEAVE_DAY, MEMBERS, MOVE_DAY
from app.demo.post import Call
from app.demo.story import Scale, Story, day_of
from app.demo.twists import reviewed, whole_story
from app.events.facts import EventFacts
from app.integrations.folding import CONTINUES
from app.integrations.mapping import Mapping
from tests.demo import truth
from tests.integrations.crm import World

SMALL = Scale(
    first_day=date(2026, 2, 16), last_day=date(2026, 4, 24), leads_a_day=1.5, new_deals_a_day=1.5, calls_a_day=0.15
)
MAPPING = Mapping(time_zone="Europe/Warsaw")
NAMES = {id_: person.name for person in EVERYBODY for id_ in (person.hubspot_id, person.pipedrive_id)}


@pytest.fixture(scope="module")
def story() -> Story:
    return whole_story(SMALL)


@pytest.fixture(scope="module")
def events(story: Story) -> list[EventFacts]:
    worlds = {system: World(system, MAPPING) for system in ("hubspot", "pipedrive")}
    for _, calls in post.calls(story):
        for call in calls:
            worlds[call.system].tell(call.body)
    for world in worlds.values():
        _continue_merged(world)
    return [event for world in worlds.values() for event in world.events().values()]


def _continue_merged(world: World) -> None:
    """Give the history of a merged deal to the one that continues it, as the service does."""
    for key, record in list(world.records.items()):
        if isinstance(earlier := record.state(CONTINUES), str):
            world.records[key] = record.continuing(world.records[key[0], earlier])


def all_calls(scale: Scale) -> list[tuple[date, list[Call]]]:
    return list(post.calls(whole_story(scale)))


def test_a_seed_always_tells_the_same_story() -> None:
    assert all_calls(SMALL) == all_calls(SMALL)
    assert all_calls(Scale(SMALL.first_day, SMALL.last_day, seed=2)) != all_calls(
        Scale(SMALL.first_day, SMALL.last_day, seed=3)
    )


def test_the_whole_story_is_of_the_size_that_the_demo_promises() -> None:
    whole = whole_story(Scale())
    assert len(MEMBERS) == 25
    assert 700 <= len(whole.leads) <= 900
    assert 430 <= len(whole.deals) <= 550
    assert 5000 <= sum(a.at <= whole.scale.ends_at for a in whole.activities) <= 7000
    assert whole.workdays[0] == date(2026, 1, 5)
    assert whole.workdays[-1] == date(2026, 7, 3)
    assert not {date(2026, 1, 6), date(2026, 4, 6), date(2026, 5, 1), date(2026, 6, 4)} & set(whole.workdays)


def test_everything_that_goes_otherwise_in_a_crm_happens() -> None:
    whole = whole_story(Scale())
    closed = [(deal, closing) for deal in whole.deals for closing in deal.closings if closing.at < whole.scale.ends_at]
    wins = [(deal, closing) for deal, closing in closed if closing.is_won]
    assert any(closing.reopened_at for _, closing in wins)
    assert any(at > closing.at for deal, closing in wins for at, _ in deal.amounts)
    assert any(at > closing.at for deal, closing in wins for at, _ in deal.owners)
    assert any(closing.on < day_of(closing.at) for _, closing in wins)
    merged = [deal for deal in whole.deals if deal.merged_into]
    assert {deal.system for deal in merged} == {"hubspot", "pipedrive"}
    assert any(deal.closings for deal in merged)
    assert any(activity.deleted_at for activity in whole.activities)
    mover = next(member for member in MEMBERS if member.moved_to)
    assert mover.team_on(MOVE_DAY) != mover.team_on(date(2026, 4, 14))
    assert {m.joined for m in MEMBERS} == {None, JOIN_DAY}
    assert {m.left for m in MEMBERS} == {None, LEAVE_DAY}
    assert any(not deal.owners[0][1].is_mapped for deal in whole.deals)


def test_nobody_sells_before_they_came_or_after_they_left(story: Story) -> None:
    for activity in story.activities:
        if activity.at <= story.scale.ends_at and activity.owner.is_mapped:
            assert activity.owner.team_on(day_of(activity.booked_at or activity.at))


def test_the_messages_hold_calls_and_meetings_as_they_were(story: Story, events: list[EventFacts]) -> None:
    end = story.scale.ends_at
    for type_, facts in (("call.made", truth.calls(story)), ("meeting.held", truth.meetings(story))):
        told = Counter((event.occurred_at, _actor(event)) for event in events if event.type == type_)
        counted = Counter({key: n for key, n in told.items() if key[0] is not None and key[0] <= end})
        assert sum(counted.values()) == len(facts)
        assert Counter(actor for (_, actor), n in counted.items() for _ in range(n)) == _owners(facts)


def test_the_messages_hold_wins_and_losses_as_they_ended(story: Story, events: list[EventFacts]) -> None:
    for type_, facts in (("deal.won", truth.wins(story)), ("deal.lost", truth.losses(story))):
        told = [event for event in events if event.type == type_]
        assert len(told) == len(facts)
        assert Counter(_actor(event) for event in told) == _owners(facts)
        assert sum(event.amount or Decimal(0) for event in told) == sum(fact.amount for fact in facts)
        days = Counter(event.occurred_on or day_of(event.occurred_at) for event in told if event.occurred_at)
        assert days == Counter(fact.day for fact in facts)


def test_the_messages_hold_every_lead_and_its_first_answer(story: Story, events: list[EventFacts]) -> None:
    leads = {event.about["lead"]: event for event in events if event.type == "lead.created"}
    answers = truth.answers(story)
    assert len(leads) == len(answers)
    human = {"call.made", "email.sent", "meeting.held"}
    for lead, answer in answers:
        made = leads[f"{lead.system}:lead:{lead.id}"]
        assert made.occurred_at == lead.at
        later = [
            event.occurred_at
            for event in events
            if event.type in human
            and event.about.get("lead") == made.about["lead"]
            and event.properties.get("automated") is not True
            and event.occurred_at is not None
            and lead.at <= event.occurred_at <= story.scale.ends_at
        ]
        assert min(later, default=None) == (answer and truth.moment(answer))


def test_the_calls_are_shuffled_and_repeated_in_the_crms_own_shapes(story: Story) -> None:
    calls = [call for _, arriving in post.calls(story) for call in arriving]
    batches: list[list[dict[str, Any]]] = [json.loads(call.body) for call in calls if call.system == "hubspot"]
    webhooks: list[dict[str, Any]] = [json.loads(call.body) for call in calls if call.system == "pipedrive"]
    assert max(len(batch) for batch in batches) == hubspot.BATCH
    times = [event["occurredAt"] for event in batches[0]]
    assert times != sorted(times)
    assert any(event["attemptNumber"] for batch in batches for event in batch)
    assert {event["subscriptionType"].split(".")[0] for batch in batches for event in batch} >= {"deal", "object"}
    assert {webhook["meta"].get("version") for webhook in webhooks} == {"2.0", None}
    assert any(webhook.get("retry") or webhook["meta"].get("attempt") == 2 for webhook in webhooks)
    assert any("merged_from_id" in webhook["meta"] for webhook in webhooks)
    assert pipedrive.again(webhooks[0]) != webhooks[0]


def test_the_review_is_of_somebody_who_won(story: Story) -> None:
    person = reviewed(story)
    assert person.is_mapped
    assert any(fact.owner is person for fact in truth.wins(story))


def _actor(event: EventFacts) -> str:
    assert event.actor is not None
    return NAMES[event.actor.external_id]


def _owners(facts: list[truth.Fact]) -> Counter[str]:
    return Counter(fact.owner.name for fact in facts)
