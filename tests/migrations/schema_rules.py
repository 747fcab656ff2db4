"""The rules of a schema that runs on plain PostgreSQL and on Citus: plain PostgreSQL accepts every violation."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from sqlalchemy import (
    BigInteger,
    Column,
    Computed,
    Constraint,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint

from app.core.db import REFERENCE, TENANT

ROOT = "organization"
LONGEST_NAME = 50
Rule = Callable[[MetaData], Iterator[str]]


def tenant_key(table: Table) -> str:
    """The column that says whose a row is."""
    return "id" if table.name == ROOT else "org_id"


def tenants(metadata: MetaData) -> Iterator[Table]:
    """The tables whose rows belong to one organization."""
    return (table for table in metadata.sorted_tables if table.info.get("placement") == TENANT)


def rule_1_keys_start_with_the_organization(metadata: MetaData) -> Iterator[str]:
    for table in tenants(metadata):
        column = table.columns.get(tenant_key(table))
        if column is None or not isinstance(column.type, Uuid) or column.nullable:
            yield f"{table.name} has no {tenant_key(table)} uuid NOT NULL"
        elif next(iter(table.primary_key.columns), None) is not column:
            yield f"the key of {table.name} does not start with {column.name}"


def rule_2_what_is_unique_is_so_within_an_organization(metadata: MetaData) -> Iterator[str]:
    for table in tenants(metadata):
        for name, columns in _unique(table):
            if tenant_key(table) not in columns:
                yield f"{name} is unique over all organizations"


def _unique(table: Table) -> Iterator[tuple[str, set[str]]]:
    for constraint in table.constraints:
        if isinstance(constraint, ExcludeConstraint):
            equal = {str(name) for _, name, operator in constraint._render_exprs if operator == "="}
            yield str(constraint.name), equal
        elif isinstance(constraint, UniqueConstraint):
            yield str(constraint.name), set(constraint.columns.keys())
    for index in table.indexes:
        if index.unique:
            yield str(index.name), {column.name for column in index.columns}


def rule_3_references_stay_within_an_organization(metadata: MetaData) -> Iterator[str]:
    for key in _foreign_keys(metadata):
        if key.referred_table.info.get("placement") == REFERENCE:
            continue
        if key.table.info.get("placement") == REFERENCE:
            yield f"{key.name}: a reference table refers to a tenant's"
        pairs = {(element.parent.name, element.column.name) for element in key.elements}
        if (tenant_key(key.table), tenant_key(key.referred_table)) not in pairs:
            yield f"{key.name} does not name the organization on both sides"


def rule_4_deleting_never_clears_a_reference(metadata: MetaData) -> Iterator[str]:
    for key in _foreign_keys(metadata):
        if (key.ondelete or "NO ACTION").upper() not in {"NO ACTION", "RESTRICT", "CASCADE"}:
            yield f"{key.name}: ON DELETE {key.ondelete}"


def rule_5_nothing_is_deferred(metadata: MetaData) -> Iterator[str]:
    for constraint in _constraints(metadata):
        if constraint.deferrable or constraint.initially:
            yield f"{constraint.name} is deferrable"


def rule_6_every_table_has_a_place(metadata: MetaData) -> Iterator[str]:
    for table in metadata.sorted_tables:
        if table.info.get("placement") not in {TENANT, REFERENCE}:
            yield f"{table.name} has no placement"


def rule_7_no_key_is_computed(metadata: MetaData) -> Iterator[str]:
    for table in metadata.sorted_tables:
        for column in table.primary_key.columns:
            if isinstance(column.computed, Computed):
                yield f"{table.name}.{column.name} is computed and in the key"


def rule_8_every_table_has_a_key(metadata: MetaData) -> Iterator[str]:
    for table in metadata.sorted_tables:
        if not table.primary_key.columns:
            yield f"{table.name} has no key"


def rule_10_names_are_given_short_and_unique(metadata: MetaData) -> Iterator[str]:
    names = Counter(name for name in _names(metadata))
    for name, times in names.items():
        if name is None:
            yield "a constraint or an index has no name"
        elif len(name) > LONGEST_NAME:
            yield f"{name} is longer than {LONGEST_NAME} characters"
        elif times > 1:
            yield f"{name} is given {times} times"


def _names(metadata: MetaData) -> Iterator[str | None]:
    for table in metadata.sorted_tables:
        yield table.name
        yield from (index.name for index in table.indexes)
    for constraint in _constraints(metadata):
        if not isinstance(constraint, PrimaryKeyConstraint) or constraint.columns:
            yield None if constraint.name is None else str(constraint.name)


def rule_11_numbers_are_not_given_by_the_database(metadata: MetaData) -> Iterator[str]:
    for column in _columns(metadata):
        is_counter = column is column.table.autoincrement_column or column.identity is not None
        if is_counter and isinstance(column.type, Integer) and not isinstance(column.type, BigInteger):
            yield f"{column.table.name}.{column.name} is numbered by the database, and not a bigint"


def rule_12_no_column_holds_transaction_ids(metadata: MetaData) -> Iterator[str]:
    for column in _columns(metadata):
        if type(column.type).__name__.lower() in {"xid", "xid8"} or column.name == "xmin":
            yield f"{column.table.name}.{column.name} holds a transaction id"


def _columns(metadata: MetaData) -> Iterator[Column[object]]:
    return (column for table in metadata.sorted_tables for column in table.columns)


def _constraints(metadata: MetaData) -> Iterator[Constraint]:
    for table in metadata.sorted_tables:
        yield from sorted(table.constraints, key=lambda constraint: str(constraint.name))


def _foreign_keys(metadata: MetaData) -> Iterable[ForeignKeyConstraint]:
    return (each for each in _constraints(metadata) if isinstance(each, ForeignKeyConstraint))


RULES: tuple[Rule, ...] = (
    rule_1_keys_start_with_the_organization,
    rule_2_what_is_unique_is_so_within_an_organization,
    rule_3_references_stay_within_an_organization,
    rule_4_deleting_never_clears_a_reference,
    rule_5_nothing_is_deferred,
    rule_6_every_table_has_a_place,
    rule_7_no_key_is_computed,
    rule_8_every_table_has_a_key,
    rule_10_names_are_given_short_and_unique,
    rule_11_numbers_are_not_given_by_the_database,
    rule_12_no_column_holds_transaction_ids,
)
