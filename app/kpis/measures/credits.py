"""Entries: each fact for each subject that is credited with it, with the subject's weight (S7, S8, S9)."""

from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Date,
    Integer,
    Numeric,
    Select,
    Subquery,
    and_,
    cast,
    false,
    func,
    literal,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.dialects.postgresql import UUID

from app.core.ids import NIL
from app.events.models import EventCredit
from app.kpis.measures.bound import named_table
from app.kpis.measures.facts import KEPT
from app.kpis.measures.scope import Audience, Scope


class Credits:
    """Who of an audience is credited with what."""

    def __init__(self, scope: Scope, audience: Audience) -> None:
        self._org_id = scope.organization
        self._audience = audience
        self._asks_for_nobody = audience.asks_for_nobody
        self._values = audience.values()
        kinds = {"subject": Integer(), "identity_id": UUID(), "first_day": Date(), "next_day": Date()}
        self._spans = named_table("spans", {name: (kind, self._values[name]) for name, kind in kinds.items()})

    def credited(self, name: str, facts: CTE, role: str, *, is_full: bool) -> CTE:
        """The facts for each subject that is credited with them in the role."""
        parts = [self._whole(facts, role)] if self._audience.everything else []
        if self._audience.spans:
            if role == "owner":
                parts.append(self._single(facts))
            parts.append(self._shared(facts, role, is_full=is_full))
        if not parts:
            parts = [self._whole(facts, role).where(false())]
        return union_all(*parts).cte(name)

    def _columns(self, facts: CTE | Subquery, subject: ColumnElement[Any], weight: ColumnElement[Any]) -> list[Any]:
        return [subject.label("subject"), *[facts.c[name] for name in KEPT], weight.label("weight")]

    def _whole(self, facts: CTE, role: str) -> Select[Any]:
        """The organization: every event, whole; in another role than owner those with a credit in it."""
        subjects = named_table("whole", {"whole": (Integer(), self._values["whole"])})
        chosen = select(*self._columns(facts, subjects.c.whole, cast(literal(1), Numeric()))).select_from(
            facts.join(subjects, literal(True))
        )
        return chosen if role == "owner" else chosen.where(self._has_credit(facts, role))

    def _has_credit(self, facts: CTE, role: str) -> ColumnElement[bool]:
        return (
            select(literal(1))
            .where(
                EventCredit.org_id == self._org_id,
                EventCredit.row_id == facts.c.credited_id,
                EventCredit.role == role,
            )
            .exists()
        )

    def _single(self, facts: CTE) -> Select[Any]:
        """Events with one owner or nobody: at most one span of a subject matches."""
        whose = func.coalesce(facts.c.identity_id, NIL) if self._asks_for_nobody else facts.c.identity_id
        is_theirs = self._is_in_span(whose, facts.c.credited_day)
        return (
            select(*self._columns(facts, self._spans.c.subject, cast(literal(1), Numeric())))
            .select_from(facts.join(self._spans, is_theirs))
            .where(facts.c.is_shared.is_(False))
        )

    def _shared(self, facts: CTE, role: str, *, is_full: bool) -> Select[Any]:
        """Shared events, once for each subject whatever number of its people have a part (S8)."""
        credit = and_(
            EventCredit.org_id == self._org_id,
            EventCredit.row_id == facts.c.credited_id,
            EventCredit.role == role,
        )
        whose: ColumnElement[Any] = type_coerce(EventCredit.identity_id, UUID())
        share: ColumnElement[Any] = type_coerce(EventCredit.share, Numeric())
        # Nobody owns an event whose credits are all of other roles: it is unassigned, not lost.
        is_unowned = role == "owner" and self._asks_for_nobody
        if is_unowned:
            whose, share = func.coalesce(whose, NIL), func.coalesce(share, 1)
        of_each = (
            select(facts, whose.label("whose"), share.label("share"))
            .select_from(facts.join(EventCredit, credit, isouter=is_unowned))
            .where(facts.c.is_shared)
            # Kept apart: else the credits of an event are looked up for each span.
            .offset(0)
            .subquery()
        )
        weight = cast(literal(1), Numeric()) if is_full else func.sum(of_each.c.share)
        columns = self._columns(of_each, self._spans.c.subject, weight)
        joined = of_each.join(self._spans, self._is_in_span(of_each.c.whose, of_each.c.credited_day))
        return select(*columns).select_from(joined).group_by(*columns[:-1])

    def _is_in_span(self, identity: ColumnElement[Any], day: ColumnElement[Any]) -> ColumnElement[bool]:
        spans = self._spans.c
        return and_(spans.identity_id == identity, day >= spans.first_day, day < spans.next_day)
