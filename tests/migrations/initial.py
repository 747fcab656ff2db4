"""Writes the first migration anew from the models, while there is no database that it has run on.

    python -m tests.migrations.initial

Later changes are migrations of their own: `alembic revision --autogenerate -m "…"`, read and completed by hand.
"""

import subprocess
import sys
from pathlib import Path

from alembic.autogenerate import render_python_code
from alembic.migration import MigrationContext
from alembic.operations.ops import CreateIndexOp, CreateTableOp, MigrateOperation, UpgradeOps
from sqlalchemy import Table

from app.core.db import REFERENCE
from app.core.rowsecurity import statements
from app.models import metadata

FILE = Path(__file__).parents[2] / "migrations" / "versions" / "2026-11-21-2200_initial.py"

HEAD = '''"""Every table of the first version."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.placement import distributed, prepare, reference

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:  # noqa: PLR0915 - a statement for each table
    """Each table with its constraints and indexes, its row security, and its place."""
    prepare(op.get_bind())
    # `paceline bootstrap` made it already; a database that was set up otherwise may lack it.
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
'''


def source() -> str:
    """The migration's text."""
    tables = sorted(metadata.sorted_tables, key=_rank)
    made = "".join(f"\n{_indented(_table(table))}\n" for table in tables)
    dropped = "".join(f'    op.drop_table("{table.name}")\n' for table in reversed(tables))
    return (
        f"{HEAD}{made}\n\ndef downgrade() -> None:\n"
        f'    """Nothing is left but the extension, which others may use."""\n    prepare(op.get_bind())\n{dropped}\n\n'
        f"{_row_security()}"
    )


def _rank(table: Table) -> int:
    """The root of all placements first, then what others may refer to, then as foreign keys ask."""
    return 0 if table.name == "organization" else 1 if table.info["placement"] == REFERENCE else 2


def _table(table: Table) -> str:
    indexes = sorted(table.indexes, key=lambda index: str(index.name))
    ops: list[MigrateOperation] = [CreateTableOp.from_table(table)]
    ops += [CreateIndexOp.from_index(index) for index in indexes]
    return "\n".join([_rendered(ops), *_placed(table)])


def _rendered(ops: list[MigrateOperation]) -> str:
    """Alembic's rendering, without its comments and our notes on the tables."""
    context = MigrationContext.configure(dialect_name="postgresql", opts={"target_metadata": metadata})
    code = render_python_code(UpgradeOps(ops=ops), migration_context=context)
    lines = [line for line in code.splitlines() if not line.lstrip().startswith(("#", "info="))]
    return "\n".join(line.removeprefix("    ") if line.startswith("    ") else line for line in lines)


def _placed(table: Table) -> list[str]:
    if table.info["placement"] == REFERENCE:
        return [f'reference("{table.name}")']
    column = _tenant_column(table)
    due_list = ", is_due_list=True" if table.name == "job" else ""
    other = "" if column == "org_id" else f', column="{column}"'
    return [f'secure("{table.name}"{other}{due_list})', f'distributed("{table.name}"{other})']


def _tenant_column(table: Table) -> str:
    return "id" if table.name == "organization" else "org_id"


def _row_security() -> str:
    """The policies as they are now: a migration does not change when the code it came from does."""
    *every, worker = (repr(text) for text in statements("{table}", column="{column}", is_due_list=True))
    formatted = "\n".join(f"    op.execute(f{text})" for text in every)
    return (
        'def secure(table: str, column: str = "org_id", *, is_due_list: bool = False) -> None:\n'
        '    """Keep tenants apart in the database itself; the due list may be read across them by the worker."""\n'
        f"{formatted}\n    if is_due_list:\n        op.execute(f{worker})\n"
    )


def _indented(code: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in code.splitlines())


if __name__ == "__main__":
    FILE.write_text(source(), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", FILE], check=True)
