"""The tables keep the rules of `citus.md`, and each rule finds what breaks it."""

from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import UserDefinedType

from app.core.db import NAMES, REFERENCE, TENANT
from app.models import metadata
from tests.migrations.schema_rules import (
    RULES,
    Rule,
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


class Xid8(UserDefinedType[int]):
    cache_ok = True


def organization(metadata: MetaData) -> Table:
    return Table("organization", metadata, Column("id", Uuid(), primary_key=True), info={"placement": TENANT})


def tenant(name: str, *parts: SchemaItem, placement: str | None = TENANT, key: bool = True) -> MetaData:
    """A schema of the organization and one table with an ordinary key, to which the parts are added."""
    made = MetaData(naming_convention=NAMES)
    organization(made)
    keys: list[SchemaItem] = (
        [Column("org_id", Uuid(), primary_key=True), Column("id", Uuid(), primary_key=True)] if key else []
    )
    Table(name, made, *keys, *parts, info={"placement": placement} if placement else {})
    return made


def owner(**options: Any) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["org_id"], ["organization.id"], **options)


BAD: list[tuple[Rule, MetaData]] = [
    (rule_1_keys_start_with_the_organization, tenant("bad", Column("id", Uuid(), primary_key=True), key=False)),
    (
        rule_1_keys_start_with_the_organization,
        tenant("bad", Column("org_id", Text(), primary_key=True), Column("id", Uuid(), primary_key=True), key=False),
    ),
    (
        rule_1_keys_start_with_the_organization,
        tenant("bad", Column("id", Uuid(), primary_key=True), Column("org_id", Uuid(), primary_key=True), key=False),
    ),
    (rule_2_what_is_unique_is_so_within_an_organization, tenant("bad", Column("a", Text()), UniqueConstraint("a"))),
    (
        rule_2_what_is_unique_is_so_within_an_organization,
        tenant("bad", Column("a", Text()), Index("uq_bad_a", "a", unique=True)),
    ),
    (
        rule_2_what_is_unique_is_so_within_an_organization,
        tenant("bad", Column("a", Text()), ExcludeConstraint(("a", "="), using="gist", name="ex_bad")),
    ),
    (
        rule_3_references_stay_within_an_organization,
        tenant("bad", Column("other_id", Uuid()), ForeignKeyConstraint(["other_id"], ["organization.id"])),
    ),
    (rule_3_references_stay_within_an_organization, tenant("bad", owner(), placement=REFERENCE)),
    (rule_4_deleting_never_clears_a_reference, tenant("bad", owner(ondelete="SET NULL"))),
    (rule_5_nothing_is_deferred, tenant("bad", owner(deferrable=True, initially="DEFERRED"))),
    (rule_6_every_table_has_a_place, tenant("bad", placement=None)),
    (rule_7_no_key_is_computed, tenant("bad", Column("n", BigInteger(), Computed(text("1")), primary_key=True))),
    (rule_8_every_table_has_a_key, tenant("bad", Column("org_id", Uuid()), key=False)),
    (rule_10_names_are_given_short_and_unique, tenant("bad", CheckConstraint("true", name="x" * 50))),
    (
        rule_10_names_are_given_short_and_unique,
        tenant("bad", Column("a", Text()), Index("same", "org_id"), Index("same", "a")),
    ),
    (
        rule_11_numbers_are_not_given_by_the_database,
        tenant("bad", Column("n", Integer(), primary_key=True), key=False),
    ),
    (rule_12_no_column_holds_transaction_ids, tenant("bad", Column("seen", Xid8()))),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tables_keep_every_rule(rule: Rule) -> None:
    assert list(rule(metadata)) == []


@pytest.mark.parametrize(("rule", "schema"), BAD, ids=lambda case: getattr(case, "__name__", ""))
def test_a_rule_finds_what_breaks_it(rule: Rule, schema: MetaData) -> None:
    assert list(rule(schema)) != []


def test_no_rule_is_without_a_schema_that_breaks_it() -> None:
    assert {rule for rule, _ in BAD} == set(RULES)


def test_an_ordinary_table_breaks_no_rule() -> None:
    good = tenant("good", Column("key", Text()), UniqueConstraint("org_id", "key"), owner())
    assert [finding for rule in RULES for finding in rule(good)] == []
