"""Targets from an owner's own history, as figures: what recurring goals and templates ask for (G5)."""

from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.problems import ValidationFailed
from app.goals.smart import rules
from app.goals.smart.past import Asked, Seen, history_of


async def target_from_history(
    session: AsyncSession, seen: Seen, asked: Asked, *, is_ambitious: bool, scale: Decimal = Decimal(1)
) -> dict[str, Decimal]:
    """The realistic or the ambitious target, or the usual band, by the fields of a target.

    `scale` multiplies a value, not a band. Raises `ValidationFailed` at `/target` where history gives none.
    """
    past = await history_of(session, seen, asked)
    aimed = rules.Aimed(direction=asked.kpi.direction, history=past, manner=asked.manner)
    if (band := rules.band(aimed)) is not None:
        return {"low": band[0], "high": band[1]}
    if (found := rules.suggested(aimed)) is None:
        message = f"History gives no target: {past.reason} Write a value."
        raise ValidationFailed.at("/target", message, "history_too_short")
    value = asked.manner.target(found[1 if is_ambitious else 0] * scale)
    if value <= 0:
        raise ValidationFailed.at(
            "/target", "History gives a target of 0, which is none: write a value.", "target_out_of_range"
        )
    return {"value": value}
