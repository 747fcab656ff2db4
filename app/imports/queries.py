"""Reading of imports."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, and_, select

from app.core.db import OrganizationId
from app.imports.models import Import, ImportRejection
from app.progress.models import LongJob


def imports(org_id: OrganizationId, kinds: Sequence[str]) -> Select[Import, LongJob]:
    """The imports of these kinds, each with its job."""
    return (
        select(Import, LongJob)
        .join(LongJob, and_(LongJob.org_id == Import.org_id, LongJob.id == Import.id))
        .where(Import.org_id == org_id, LongJob.org_id == org_id, Import.kind.in_(kinds))
    )


def locked(org_id: OrganizationId, import_id: UUID) -> Select[Import]:
    """The import, for the step that goes on with it."""
    return select(Import).where(Import.org_id == org_id, Import.id == import_id).with_for_update()


def rejections(org_id: OrganizationId, import_id: UUID, after: int, most: int) -> Select[ImportRejection]:
    """The next rejected rows after this number."""
    return (
        select(ImportRejection)
        .where(ImportRejection.org_id == org_id, ImportRejection.import_id == import_id, ImportRejection.row > after)
        .order_by(ImportRejection.row)
        .limit(most)
    )
