"""Reading of accounts."""

from datetime import datetime

from sqlalchemy import Select, select

from app.accounts.models import ApiKey, Organization, OrganizationSettings
from app.core.db import OrganizationId, known_by


def organization(org_id: OrganizationId) -> Select[Organization, OrganizationSettings]:
    """The organization with its present settings."""
    return (
        select(Organization, OrganizationSettings)
        .join(OrganizationSettings, OrganizationSettings.org_id == Organization.id)
        .where(
            Organization.id == org_id,
            OrganizationSettings.org_id == org_id,
            OrganizationSettings.superseded_at.is_(None),
        )
    )


def settings_as_known(org_id: OrganizationId, known_at: datetime) -> Select[OrganizationSettings]:
    """The settings as recorded by an instant (S5)."""
    row = OrganizationSettings
    return select(row).where(row.org_id == org_id, known_by(row, known_at))


def first_settings(org_id: OrganizationId) -> Select[OrganizationSettings]:
    """The settings the organization was made with."""
    row = OrganizationSettings
    return select(row).where(row.org_id == org_id).order_by(row.recorded_at).limit(1)


def api_keys(org_id: OrganizationId) -> Select[ApiKey]:
    """All keys of the organization."""
    return select(ApiKey).where(ApiKey.org_id == org_id)
