"""What the figures of a story are, counted from the story itself: no message, no adapter, no ledger."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from app.demo.people import Person
from app.demo.story import Activity, Deal, Lead, Story, day_of

CORRECTION = timedelta(days=7)


@dataclass(frozen=True)
class Fact:
    """Something that counts: on which day, whose, and how much."""

    day: date
    owner: Person
    deal: Deal | None = None
    amount: Decimal = Decimal(0)


def calls(story: Story) -> list[Fact]:
    return [Fact(day_of(moment(a)), a.owner) for a in _done(story) if a.kind == "call"]


def meetings(story: Story) -> list[Fact]:
    return [Fact(day_of(moment(a)), a.owner) for a in _done(story) if a.kind == "meeting"]


def wins(story: Story) -> list[Fact]:
    return list(_closed(story, is_won=True))


def losses(story: Story) -> list[Fact]:
    return list(_closed(story, is_won=False))


def new_customers(story: Story) -> list[Fact]:
    """The first win of each company by the instant of winning, whatever close date was entered."""
    firsts: dict[str, tuple[datetime, Fact]] = {}
    for fact in wins(story):
        assert fact.deal is not None
        assert fact.deal.closing is not None
        key = f"{fact.deal.system}:{fact.deal.contact.company.id}"
        known = firsts.get(key)
        if known is None or fact.deal.closing.at < known[0]:
            firsts[key] = (fact.deal.closing.at, fact)
    return [fact for _, fact in firsts.values()]


def answers(story: Story) -> list[tuple[Lead, Activity | None]]:
    """Each lead with the first thing that a human did for its contact afterwards."""
    touched: dict[int, list[Activity]] = {}
    for activity in _done(story):
        if not activity.automated:
            touched.setdefault(id(activity.contact), []).append(activity)
    found = []
    for lead in story.leads:
        if lead.at <= story.scale.ends_at:
            later = [a for a in touched.get(id(lead.contact), []) if moment(a) >= lead.at]
            found.append((lead, min(later, key=moment, default=None)))
    return found


def moment(activity: Activity) -> datetime:
    """When the CRM says that it was: HubSpot's calls at their start, all else when it was done."""
    return activity.at if (activity.system, activity.kind) == ("hubspot", "call") else activity.ends_at


def _done(story: Story) -> Iterator[Activity]:
    for activity in story.activities:
        told = activity.booked_at or activity.ends_at
        is_known = max(told, moment(activity)) <= story.scale.ends_at and activity.deleted_at is None
        if is_known and activity.outcome not in {"no_show", "canceled"}:
            yield activity


def _closed(story: Story, *, is_won: bool) -> Iterator[Fact]:
    end = story.scale.ends_at
    for deal in story.deals:
        told = [closing for closing in deal.closings if closing.at <= end]
        last = told[-1] if told else None
        is_merged = deal.merged_at is not None and deal.merged_into is not None and deal.merged_at <= end
        if last and last.is_won == is_won and not is_merged and not (last.reopened_at and last.reopened_at <= end):
            amount = next(value for at, value in reversed(deal.amounts) if at <= end)
            yield Fact(last.on, deal.owner_at(min(last.at + CORRECTION, end)), deal, amount)
