"""Row-level security: the statements that keep tenants apart in the database itself."""

from sqlalchemy import MetaData, Table

from app.core.db import TENANT

WORKER_ROLE = "paceline_worker"


def tenant_tables(metadata: MetaData) -> list[Table]:
    """The tables whose rows belong to one organization, parents first."""
    return [table for table in metadata.sorted_tables if table.info.get("placement") == TENANT]


def statements(table: str, *, column: str = "org_id", is_due_list: bool = False) -> list[str]:
    """DDL that forces row-level security on a table, one statement each (`citus.md` rules 30, 31, 36).

    An unset context sees nothing. The owner, who migrates, has a policy of its own. The due list may
    be read by the worker's role across organizations.
    """
    mine = f"{column} = nullif(current_setting('app.org_id', true), '')::uuid"
    made = [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY tenant ON {table} USING ({mine}) WITH CHECK ({mine})",
        f"CREATE POLICY owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true)",
    ]
    if is_due_list:
        made.append(f"CREATE POLICY worker ON {table} FOR SELECT USING (current_user = '{WORKER_ROLE}')")
    return made
