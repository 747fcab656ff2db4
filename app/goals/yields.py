"""The formula of a compound goal against the organization's KPIs."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.core.problems import ErrorItem, ValidationFailed
from app.core.units import Unit
from app.goals.yielding import Whole, Yields, check_yields
from app.kpis.expressions.parser import parse
from app.kpis.expressions.syntax import ExpressionError, references
from app.kpis.history import additive_kpis
from app.kpis.referring import others
from app.kpis.schemas import Kpi
from app.kpis.service import load_kpis_with_references

_EVER = datetime.max.replace(tzinfo=UTC)


async def require_yields(session: AsyncSession, org_id: OrganizationId, text: str, kpi: Kpi) -> Yields:
    """The formula by which parts make a whole with this KPI. Raises `ValidationFailed` at `/yields`."""
    try:
        named = references(parse(text))
        known = await others(session, org_id, None, named or {kpi.key})
        histories = await load_kpis_with_references(session, org_id, sorted(named & known.keys()), _EVER)
        additive = additive_kpis(histories)
        units = {key: other.unit for key, other in known.items()}
        whole = Whole(kpi.key, Unit.of(kpi.unit.kind, kpi.unit.per))
        found = check_yields(text, units, whole, {key for key in named if not additive.get(key, False)})
    except ExpressionError as error:
        raise _refused(error) from None
    for key in found.keys:
        if (refusal := known[key].refusal) is not None:
            message = f"kpi.{key} cannot be used: {refusal}"
            raise ValidationFailed.at("/yields", message, "kpi_archived")
    return found


def _refused(error: ExpressionError) -> ValidationFailed:
    message = f"{error.message} (at {error.position})"
    item = ErrorItem(
        pointer="/yields",
        message=message,
        code="expression_invalid",
        position=error.position,
        length=error.length,
        suggestion=error.suggestion,
    )
    return ValidationFailed(message, [item])
