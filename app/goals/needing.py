"""What is left to do of a goal, per working day from now on; plain Python (design section 7)."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from app.goals.pace import Aim
from app.kpis.formulas import FORMULA

Reason = Literal["not_additive", "no_data", "over", "no_working_days_left", "waived"]


@dataclass(frozen=True, slots=True)
class Needed:
    """What remains in all and per working day, and what was achieved per working day; `because`: why not per day."""

    remaining: Decimal | None
    per_working_day: Decimal | None
    achieved_per_working_day: Decimal | None
    because: Reason | None


def needed(actual: Decimal | None, aim: Aim | None, *, days_past: int, days_left: int, is_over: bool) -> Needed:
    """What is needed from today on. `aim` is the effective one, None where nothing is left of it.

    Of a target to reach what is missing, 0 once it is reached; of a limit what may still be used, below 0 once it is
    exceeded (then nothing may be used per day any more).
    """
    if aim is None:
        return Needed(None, None, None, "waived")
    if not aim.is_built_up:
        return Needed(None, None, None, "not_additive")
    if actual is None:
        return Needed(None, None, None, "no_data")
    achieved = FORMULA.divide(actual, Decimal(days_past)) if days_past else None
    remaining = FORMULA.subtract(aim.target, actual)
    if aim.direction == "increase":
        remaining = max(remaining, Decimal(0))
    if is_over or not days_left:
        return Needed(remaining, None, achieved, "over" if is_over else "no_working_days_left")
    return Needed(remaining, FORMULA.divide(max(remaining, Decimal(0)), Decimal(days_left)), achieved, None)
