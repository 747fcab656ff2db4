"""The first day of an organization: itself, its first key, and what the domains start with."""

from datetime import datetime

from app.accounts import service as accounts
from app.core.db import Database, OrganizationId
from app.events.sources import add_api_source
from app.events.waking import look_after


async def create_organization(
    database: Database,
    name: str,
    *,
    time_zone: str = "UTC",
    currency: str = "EUR",
    week_starts_on: int = 0,
    now: datetime | None = None,
    recorded_from: datetime | None = None,
) -> tuple[OrganizationId, str]:
    """A new organization's id and the token of its first key, an admin's, which is shown only here.

    `now` gives it a clock of its own from the start; `recorded_from` is when it shall have been recorded,
    so that its clock can later be set to any instant after that.
    """
    return await accounts.create_organization(
        database,
        name,
        time_zone=time_zone,
        currency=currency,
        week_starts_on=week_starts_on,
        now=now,
        recorded_from=recorded_from,
        also=(add_api_source, look_after),
    )
