"""Why there is no forecast: a code for programs and a sentence for people."""

from dataclasses import dataclass
from typing import Literal

LEAST_WORKING_DAYS = 20
LEAST_DAYS_WITH_ANY = 5
LONGEST_AHEAD = 3
"""At most so many times as much working time lies ahead as there is of history."""

Code = Literal[
    "depends_on_other_figures",
    "left_out",
    "mixed_versions",
    "no_data",
    "no_history",
    "not_of_days",
    "not_recorded_yet",
    "not_retained",
    "parts_change",
    "parts_overlap",
    "settles_later",
    "too_few_events",
    "too_little_history",
    "too_many_parts",
]

SENTENCES: dict[Code, str] = {
    "depends_on_other_figures": "The formula looks at another period, at targets or at staff: drawn days say nothing "
    "of these.",
    "left_out": "All that the KPI counts was left out, such as money without an exchange rate.",
    "mixed_versions": "The KPI's definition changes within the period, and its parts do not add up.",
    "no_data": "Most possible ends of the period have no value: nothing to divide by.",
    "no_history": "Nothing has happened yet that the KPI counts.",
    "not_of_days": "The KPI cannot be put together from single days: distinct things, medians, extremes, what is open "
    "at a moment, or other days than its own.",
    "not_recorded_yet": "The KPI, the owner or the organization was not recorded yet at this instant.",
    "not_retained": "Events of the period are archived or dropped.",
    "parts_change": "The parts that count change within what is left of the period.",
    "parts_overlap": "Parts that count some of the same people leave others of the owner's out.",
    "settles_later": "The figure of a day is settled only days after it, so that recent days say too little.",
    "too_few_events": f"There is something on fewer than {LEAST_DAYS_WITH_ANY} days of the history.",
    "too_little_history": f"The history has fewer than {LEAST_WORKING_DAYS} working days, or less than a third of "
    "those until the period's end.",
    "too_many_parts": "The parts have more owners than histories are added up, and leave some people out.",
}


@dataclass(frozen=True)
class Reason:
    """A reason, by its code."""

    code: Code

    @property
    def message(self) -> str:
        """The sentence."""
        return SENTENCES[self.code]


class Unknown(Exception):  # noqa: N818  # no failure: the honest answer
    """There is no forecast."""

    def __init__(self, code: Code) -> None:
        super().__init__(code)
        self.reason = Reason(code)
