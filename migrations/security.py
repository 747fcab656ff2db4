"""Row-level security of a table that a migration makes, as it stood when this version was published.

Written out and not taken from the application, whose wording may change; a migration may not.
"""

from alembic import op


def secure(table: str, column: str = "org_id") -> None:
    """Show rows to their own organization only; the owner, who migrates, has its own policy (`citus.md` 30, 31)."""
    mine = f"{column} = nullif(current_setting('app.org_id', true), '')::uuid"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON {table} USING ({mine}) WITH CHECK ({mine})")
    op.execute(f"CREATE POLICY owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true)")
