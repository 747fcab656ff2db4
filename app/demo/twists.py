"""What goes otherwise in every CRM: corrections, reopened deals, other owners, duplicates that are merged."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from app.demo.people import EXECUTIVE, Person
from app.demo.story import Closing, Deal, Scale, Story, day_of, local, tell


def whole_story(scale: Scale) -> Story:
    """The story of a seed, with everything that is corrected in it."""
    story = tell(scale)
    _Twists(story).all()
    for deal in story.deals:
        for history in (deal.owners, deal.amounts, deal.stages):
            history.sort(key=lambda change: change[0])
    return story


def reviewed(story: Story) -> Person:
    """The account executive with the most deals won: the one whose review the demo shows."""
    wins = Counter(
        person.name
        for deal in _won(story)
        if (person := deal.owners[-1][1]).is_mapped and person.role == EXECUTIVE and person.left is None
    )
    best = min(wins, key=lambda name: (-wins[name], name))
    return next(deal.owners[-1][1] for deal in story.deals if deal.owners[-1][1].name == best)


def _won(story: Story) -> Iterator[Deal]:
    for deal in story.deals:
        if deal.closing and deal.closing.is_won and deal.closing.at < story.scale.ends_at and not deal.merged_into:
            yield deal


class _Twists:
    """Deals things out to deals that were won, none to the same deal twice."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.random = random.Random(story.scale.seed + 1)  # noqa: S311 - invents, keeps no secret
        self.left = list(_won(story))
        self.random.shuffle(self.left)
        self.tenth = max(1, len(self.left) // 10)

    def all(self) -> None:
        """Every kind, at least once where the story is long enough."""
        for twist, times, days, system in (
            (self._merge_wins, 1, 4, "hubspot"),
            (self._merge_wins, 1, 4, "pipedrive"),
            (self._win_again, 1, 16, None),
            (self._reopen, max(1, self.tenth // 3), 9, None),
            (self._correct_amount, self.tenth, 4, None),
            (self._correct_owner, max(1, self.tenth // 2), 4, None),
            (self._reassign, max(1, self.tenth // 2), 15, None),
            (self._enter_late, max(1, self.tenth // 2), 1, "hubspot"),
        ):
            self._deal_out(twist, times, days, system)
        for _ in range(max(2, self.tenth // 3)):
            self._merge_open()
        self._delete_calls()
        self._correct_after_review()

    def _deal_out(self, twist: Callable[[Deal, Closing], None], times: int, days: int, system: str | None) -> None:
        latest = self.story.scale.ends_at - timedelta(days=days)
        able = [d for d in self.left if d.closing and d.closing.at < latest and system in {None, d.system}]
        for deal in able[:times]:
            self.left.remove(deal)
            if deal.closing:
                twist(deal, deal.closing)

    def _correct_amount(self, deal: Deal, win: Closing) -> None:
        deal.amounts.append((win.at + timedelta(days=3, minutes=7), self._less(deal)))

    def _less(self, deal: Deal) -> Decimal:
        amount = deal.amounts[-1][1]
        return amount - max(Decimal(50), round(amount * self.random.randint(4, 15) / 5000) * Decimal(50))

    def _correct_owner(self, deal: Deal, win: Closing) -> None:
        """Within a week: whoever should have had it gets the win."""
        deal.owners.append((win.at + timedelta(days=2, minutes=11), self._colleague(deal)))

    def _reassign(self, deal: Deal, win: Closing) -> None:
        """After two weeks: the customer goes to somebody else, the win does not."""
        deal.owners.append((win.at + timedelta(days=14, minutes=5), self._colleague(deal)))

    def _colleague(self, deal: Deal) -> Person:
        owner = deal.owners[-1][1]
        sellers = {d.owners[0][1].name: d.owners[0][1] for d in self.story.deals if d.system == deal.system}
        able = [p for name, p in sorted(sellers.items()) if p.is_mapped and p.left is None and p is not owner]
        return self.random.choice(able)

    def _enter_late(self, deal: Deal, win: Closing) -> None:
        """Entered on the day after, with the close date of the day on which it was won."""
        win.on = max(each for each in [*self.story.workdays, deal.created_at.date()] if each < day_of(win.at))

    def _reopen(self, deal: Deal, win: Closing) -> None:
        """Taken back by the customer: it is open again, and later lost where there is time for that."""
        win.reopened_at = win.at + timedelta(days=6, minutes=13)
        lost_at = win.reopened_at + timedelta(days=21, minutes=3)
        if lost_at < self.story.scale.ends_at:
            deal.closings.append(Closing(lost_at, is_won=False, on=day_of(lost_at)))

    def _win_again(self, deal: Deal, win: Closing) -> None:
        win.reopened_at = win.at + timedelta(days=7, minutes=9)
        again = win.reopened_at + timedelta(days=7, minutes=2)
        deal.amounts.append((again - timedelta(minutes=1), self._less(deal)))
        deal.closings.append(Closing(again, is_won=True, on=day_of(again)))

    def _merge_wins(self, deal: Deal, win: Closing) -> None:
        """Two people entered the same win; it counts twice until the deals are merged."""
        twin = self._twin(deal, win.at + timedelta(minutes=41))
        twin.closings.append(Closing(twin.created_at + timedelta(minutes=4), is_won=True, on=win.on))
        self._merge(deal, twin, win.at + timedelta(days=3, minutes=2))

    def _merge_open(self) -> None:
        """A duplicate that somebody noticed after two days."""
        latest = self.story.scale.ends_at - timedelta(days=8)
        able = [
            deal
            for deal in self.story.deals
            if deal.created_at < latest and not deal.merged_at and deal.closing and deal.closing in deal.closings[:1]
        ]
        deal = self.random.choice(able)
        self._merge(deal, self._twin(deal, deal.created_at + timedelta(hours=2)), deal.created_at + timedelta(days=2))

    def _twin(self, deal: Deal, at: datetime) -> Deal:
        number = int(deal.id) + _TWINS[deal.system]
        twin = Deal(
            str(number),
            deal.title,
            deal.contact,
            at,
            owners=[(at, self._colleague(deal))],
            amounts=[(at, deal.amounts[0][1])],
            stages=[(at, 0)],
        )
        self.story.deals.append(twin)
        return twin

    def _merge(self, deal: Deal, twin: Deal, at: datetime) -> None:
        """HubSpot gives the survivor a new id, Pipedrive does not."""
        twin.merged_into, twin.merged_at = deal, at
        if deal.system == "hubspot":
            deal.merged_at, deal.merged_id = at, str(int(deal.id) + 2 * _TWINS["hubspot"])

    def _delete_calls(self) -> None:
        """Logged by mistake, and deleted on the next day."""
        latest = self.story.scale.ends_at - timedelta(days=2)
        calls = [a for a in self.story.activities if a.kind == "call" and a.deal is None and a.lead is None]
        for call in self.random.sample([call for call in calls if call.ends_at < latest], max(2, len(calls) // 250)):
            call.deleted_at = call.ends_at + timedelta(days=1, seconds=17)

    def _correct_after_review(self) -> None:
        """On the last day, when the review of the one who won it is shared already."""
        person = reviewed(self.story)
        before = self.story.scale.ends_at - timedelta(days=4)
        wins = [d for d in self.left if d.closing and d.closing.at < before and d.owners[-1][1] is person]
        if wins:
            deal = max(wins, key=lambda each: (each.closing.at if each.closing else each.created_at, each.id))
            deal.amounts.append((local(self.story.scale.last_day, 11, 20), self._less(deal)))


_TWINS = {"hubspot": 700_000, "pipedrive": 70_000}
