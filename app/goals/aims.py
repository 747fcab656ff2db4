"""Targets as aims: whether they fit a direction and give a ratio (S30)."""

from decimal import Decimal

from app.core.problems import ValidationFailed
from app.goals import schemas
from app.goals.models import GoalTarget
from app.goals.pace import Aim, Direction

AnyTarget = schemas.TargetInput | schemas.Target | GoalTarget


def check_target(target: AnyTarget, direction: Direction, pointer: str) -> None:
    """Raises `ValidationFailed` where the target does not fit the direction, or gives no ratio (S30)."""
    if direction == "maintain" and target.low is None:
        raise ValidationFailed.at(pointer, "A KPI to maintain has a band: write low and high.", "target_kind")
    if direction != "maintain" and target.value is None:
        raise ValidationFailed.at(pointer, f"A KPI to {direction} has one target: write value.", "target_kind")
    try:
        aim_of(direction, target)
    except ValueError as error:
        raise ValidationFailed.at(pointer, str(error), "target_out_of_range") from None
    if target.stretch is not None and target.value is not None:
        _check_stretch(target.stretch, target.value, direction, f"{pointer}{_stretch_place(target)}")


def aim_of(direction: Direction, target: AnyTarget, **traits: bool) -> Aim:
    """The aim that a target of this direction is; raises `ValueError` (S30)."""
    if direction == "maintain":
        return Aim(direction, low=target.low or Decimal(0), high=target.high or Decimal(0), **traits)
    edge = "low" if direction == "increase" else "high"
    return Aim(direction, **{edge: target.value or Decimal(0)}, **traits)  # type: ignore[arg-type]  # one of two names


def _check_stretch(stretch: Decimal, value: Decimal, direction: Direction, pointer: str) -> None:
    if not (stretch > value if direction == "increase" else 0 < stretch < value):
        wanted = "above" if direction == "increase" else "above 0 and below"
        message = f"A stretch target is more than the target asks for: {wanted} {value.normalize():f}."
        raise ValidationFailed.at(pointer, message, "stretch_not_beyond")


def _stretch_place(target: AnyTarget) -> str:
    return "/change/stretch" if isinstance(target, schemas.Target) and target.baseline is not None else "/stretch"
