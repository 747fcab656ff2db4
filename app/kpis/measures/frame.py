"""One statement for all measures, subjects and windows of a query, computed from the ledger.

For each measure: the facts (events, pairs, things that did something), then who is credited with them and by how
much, then one row for each subject, group and window. SQL returns counts, sums and ordered values; every division
and interpolation is made in decimals by the engine (S19).
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import CTE, Select, literal, select, union_all

from app.kpis.attribution import Days
from app.kpis.definition import (
    Aggregate,
    CadenceMeasure,
    ElapsedMeasure,
    EventMeasure,
    FunnelMeasure,
    Measure,
    OpenMeasure,
    TouchesMeasure,
)
from app.kpis.measures.aggregates import measured
from app.kpis.measures.covered import covered_facts
from app.kpis.measures.credits import Credits
from app.kpis.measures.events import event_facts
from app.kpis.measures.funnels import funnel_facts
from app.kpis.measures.kinds import beginning_of, is_covered, match_of
from app.kpis.measures.ledger import Ledger
from app.kpis.measures.open import closed_starts, open_facts
from app.kpis.measures.pairs import pair_facts
from app.kpis.measures.scope import Audience, Scope
from app.kpis.measures.touches import cadence_facts, touch_facts
from app.kpis.measures.united import Union, Unions, united
from app.kpis.measures.windows import Windows


def statement(
    scope: Scope,
    audience: Audience,
    windows: Sequence[Days],
    measures: Sequence[Measure],
    unions: Sequence[Union],
) -> Select[Any]:
    """All figures at once: a `measure` row for each measure, subject, group and window that has any event.

    The columns are those of `Row`, in its order. `unions` are measures, by number, over windows in which they may share
    events: a `union` row, whose window is the number of the union, counts theirs, each once, by what became of them
    (S25). Windows may overlap in any way.
    """
    frame = Frame(scope, audience, windows)
    entries = [frame.entries(number, measure) for number, measure in enumerate(measures)]
    parts = [measured(frame.windows, number, measure, entries[number]) for number, measure in enumerate(measures)]
    if unions:
        parts.append(united(Unions(unions), list(zip(measures, entries, strict=True))))
    both = union_all(*parts).subquery("answer")
    return select(both)


class Frame:
    """The common parts of a statement: point of view, windows and audience.

    With `of_everybody` the facts are also those of which the audience gets nothing. Frames of one statement need names.
    """

    def __init__(
        self,
        scope: Scope,
        audience: Audience,
        windows: Sequence[Days],
        name: str = "",
        *,
        tells: bool = False,
        of_everybody: bool = False,
    ) -> None:
        self.scope = scope
        self.windows = Windows(windows, name)
        identities = None if of_everybody else audience.identities()
        self._ledger = Ledger(scope, self.windows.days, name, tells=tells, identities=identities)
        self._credits = Credits(scope, audience)

    def entries(self, number: int, measure: Measure) -> CTE:
        """Each fact for each subject that is credited with it, with the subject's weight (S7, S8, S9)."""
        return self.credited(f"m{number}", self.facts(f"m{number}", measure), measure)

    def facts(self, name: str, measure: Measure) -> CTE:
        """What the measure looks at, a row each; see `fact`."""
        return self._facts(name, measure).cte(f"{name}_facts")

    def passing(self, measure: Measure) -> Select[Any]:
        """The rows of all events that pass the filters of a fact's own event, and whether they are about a thing.

        Of open things of all days, else of the frame's.
        """
        beginning, match, on_top = beginning_of(measure), match_of(measure), self.scope.where
        in_days = not isinstance(measure, OpenMeasure)
        view, filters = self._ledger.view(beginning.events, beginning.where, on_top, in_days=in_days)
        is_about = filters.about(match).is_not(None) if match else literal(True)
        return self._ledger.selected(view, filters, beginning.where, on_top).add_columns(
            view.c.row_id, is_about.label("is_about")
        )

    def closed(self, measure: OpenMeasure, moment: date) -> Select[Any]:
        """The rows of the starts that an end has followed by a moment (S18a)."""
        return closed_starts(self._ledger, measure, moment)

    def credited(self, name: str, facts: CTE, measure: Measure) -> CTE:
        """The facts for each subject that is credited with them."""
        role = "owner" if is_covered(measure) else measure.role  # such facts are each person's own already
        return self._credits.credited(name, facts, role, is_full=measure.credit == "full")

    def _facts(self, name: str, measure: Measure) -> Select[Any]:
        match measure:
            case EventMeasure(aggregate=Aggregate.COVERED):
                return covered_facts(self._ledger, measure)
            case EventMeasure():
                return event_facts(self._ledger, measure)
            case ElapsedMeasure():
                return pair_facts(self._ledger, name, measure)
            case FunnelMeasure():
                return funnel_facts(self._ledger, measure)
            case TouchesMeasure():
                return touch_facts(self._ledger, measure)
            case CadenceMeasure():
                return cadence_facts(self._ledger, measure)
            case OpenMeasure():
                return open_facts(self._ledger, measure)
