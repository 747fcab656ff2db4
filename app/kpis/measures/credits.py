"""Entries: each fact for each subject that is credited with it, with the subject's weight (S7, S8, S9)."""

from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Date,
    Integer,
    Numeric,
    Select,
    and_,
    cast,
    false,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import UUID

from app.core.db import OrganizationId
from app.core.ids import NIL
from app.events.models import EventCredit
from app.kpis.measures.bound import bound_table
from app.kpis.measures.facts import KEPT
from app.kpis.measures.scope import Audience


class Credits:
    """Who of an audience is credited with what."""

    def __init__(self, org_id: OrganizationId, audience: Audience) -> None:
        self._org_id = org_id
        self._audience = audience
        self._spans = bound_table(
            "spans",
            {
                "subject": (Integer(), [number for number, _ in audience.spans]),
                "identity_id": (UUID(), [span.identity_id for _, span in audience.spans]),
                "first_day": (Date(), [span.days.start for _, span in audience.spans]),
                "next_day": (Date(), [span.days.end for _, span in audience.spans]),
            },
        )

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

    def _columns(self, facts: CTE, subject: ColumnElement[Any], weight: ColumnElement[Any]) -> list[Any]:
        return [subject.label("subject"), *[facts.c[name] for name in KEPT], weight.label("weight")]

    def _whole(self, facts: CTE, role: str) -> Select[Any]:
        """The organization: every event, whole; in another role than owner those with a credit in it."""
        subjects = bound_table("whole", {"number": (Integer(), list(self._audience.everything))})
        chosen = select(*self._columns(facts, subjects.c.number, cast(literal(1), Numeric()))).select_from(
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
        is_theirs = self._is_in_span(func.coalesce(facts.c.identity_id, NIL), facts.c.credited_day)
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
        # Nobody owns an event whose credits are all of other roles: it is unassigned, not lost.
        with_credit = facts.join(EventCredit, credit, isouter=role == "owner")
        whose = func.coalesce(EventCredit.identity_id, NIL)
        joined = with_credit.join(self._spans, self._is_in_span(whose, facts.c.credited_day))
        share = func.sum(func.coalesce(EventCredit.share, 1))
        weight = cast(literal(1), Numeric()) if is_full else share
        columns = self._columns(facts, self._spans.c.subject, weight)
        return select(*columns).select_from(joined).where(facts.c.is_shared).group_by(*columns[:-1])

    def _is_in_span(self, identity: ColumnElement[Any], day: ColumnElement[Any]) -> ColumnElement[bool]:
        spans = self._spans.c
        return and_(spans.identity_id == identity, day >= spans.first_day, day < spans.next_day)
