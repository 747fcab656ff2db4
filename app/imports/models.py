"""Tables of imports: what was posted and how far it is, its file, its rejected rows."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Identified, Tenant, tenant_table

KINDS = ("events", "members", "records", "targets", "teams")
FORMATS = ("csv", "xlsx")


class Import(Identified, Base):
    """One file that is imported. The long job of the same id tells its progress.

    `reading` says how its cells are read, `columns` are the names in its header with what they stand for. A long file
    is read to its end once before any row is taken: until then `total` is null, and `counted` grows. `position` is the
    number of the row up to which it was read; `key_id` is the API key that posted it.
    """

    __tablename__ = "import_run"
    __table_args__ = tenant_table(
        CheckConstraint(f"kind IN {KINDS!r}", name="kind"),
        CheckConstraint(f"format IN {FORMATS!r}", name="format"),
        ForeignKeyConstraint(["org_id", "id"], ["long_job.org_id", "long_job.id"]),
        ForeignKeyConstraint(["org_id", "source_id"], ["source.org_id", "source.id"]),
        Index(None, "org_id", "created_at", "id"),
    )

    kind: Mapped[str]
    format: Mapped[str]
    is_dry_run: Mapped[bool]
    file_name: Mapped[str | None]
    size: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[bytes]
    source_id: Mapped[UUID | None]
    key_id: Mapped[UUID]
    reading: Mapped[dict[str, Any]]
    columns: Mapped[list[Any]]
    total: Mapped[int | None] = mapped_column(BigInteger)
    counted: Mapped[int] = mapped_column(BigInteger)
    position: Mapped[int] = mapped_column(BigInteger)
    counts: Mapped[dict[str, Any]]
    doubled_times: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]


def _of_import() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["org_id", "import_id"], ["import_run.org_id", "import_run.id"])


class ImportChunk(Tenant, Base):
    """A part of the file, while it is being worked on."""

    __tablename__ = "import_chunk"
    __table_args__ = tenant_table(_of_import())

    import_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary())


class ImportRejection(Tenant, Base):
    """A row that was not taken: its cells as they were read, and each place that is wrong in it."""

    __tablename__ = "import_rejection"
    __table_args__ = tenant_table(_of_import())

    import_id: Mapped[UUID] = mapped_column(primary_key=True)
    row: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    cells: Mapped[list[Any]]
    problems: Mapped[list[Any]]


class ImportSeen(Tenant, Base):
    """In a dry run: what a row that was taken would have changed, for the rows after it that stand on it.

    `state` is what would be stored under the key (events), else the row's cells.
    """

    __tablename__ = "import_seen"
    __table_args__ = tenant_table(_of_import())

    import_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    row: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    state: Mapped[dict[str, Any]]
