"""Where a table's rows are when several machines share them (Citus); on plain PostgreSQL all of this does nothing.

`citus.md`, 'Detecting Citus; distributing tables'. A table is placed in the migration that makes it.
"""

from alembic import context, op
from sqlalchemy import Connection, text

ROOT = "organization"


def is_citus(bind: Connection) -> bool:
    """Whether the database at hand is a Citus; where there is none (`--sql`) it is taken for a plain one."""
    if context.is_offline_mode():
        return False
    return bool(bind.execute(text("SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')")).scalar())


def prepare(bind: Connection) -> None:
    """First call of every upgrade and downgrade, and after every autocommit block."""
    if is_citus(bind):
        bind.execute(text("SET LOCAL citus.enable_local_reference_table_foreign_keys = off"))
        bind.execute(text("SET LOCAL citus.multi_shard_modify_mode = 'sequential'"))


def distributed(table: str, column: str = "org_id") -> None:
    """Keep a tenant's rows of this table together with its other rows."""
    with_root = "none" if table == ROOT else ROOT
    _place(f"SELECT create_distributed_table('{table}', '{column}', colocate_with => '{with_root}')")


def reference(table: str) -> None:
    """Keep the whole table on every machine."""
    _place(f"SELECT create_reference_table('{table}')")


def _place(statement: str) -> None:
    if is_citus(op.get_bind()):
        op.execute(statement)
