"""The application's statements keep the rules of `citus.md`, and each rule finds what breaks it.

What the tests execute is checked where it is executed, by `tests/conftest.py`.
"""

import re
from pathlib import Path

import pytest

from app.core.db import Ready, everything
from tests.migrations.sql_rules import findings

PROJECT = Path(__file__).parents[2]
IN_FILES = {
    "set_config": r"set_config\s*\(",
    "MERGE": r"\bMERGE\s+INTO\b",
    "force_generic_plan": r"force_generic_plan",
    "a trigger or rule": r"\bCREATE\s+(?:OR\s+REPLACE\s+)?(?:TRIGGER|RULE)\b",
    "SET NULL": r"ON\s+DELETE\s+SET\b|ondelete=.SET",
    "DEFERRABLE": r"\bDEFERRABLE\b|deferrable=True",
    "now() in an expression": r"\bfunc\.(?:now|current_timestamp)\s*\(",
}

BAD = [
    ("SELECT event.row_id FROM event WHERE event.type = $1", "without its organization"),
    ("SELECT e.row_id FROM event AS e WHERE e.type = $1", "without its organization"),
    (
        "SELECT 1 FROM event JOIN source ON source.id = event.source_id WHERE event.org_id = $1",
        "reads or changes source",
    ),
    ("SELECT 1 FROM event, source WHERE event.org_id = $1 AND source.id = event.source_id", "reads or changes source"),
    ("SELECT 1 FROM event WHERE event.org_id = $1 AND EXISTS (SELECT 1 FROM job WHERE job.kind = 'x')", "changes job"),
    ("WITH mine AS (SELECT id FROM goal WHERE goal.kpi_id = $2) SELECT * FROM mine", "reads or changes goal"),
    (
        "WITH RECURSIVE up AS (SELECT t.id FROM team AS t WHERE t.org_id = $1 UNION ALL "
        "SELECT p.id FROM team AS p JOIN up ON up.id = p.id) SELECT * FROM up",
        "reads or changes p ",
    ),
    (
        "SELECT x.a FROM (VALUES ($1)) AS v JOIN LATERAL (SELECT a FROM event WHERE event.type = v.a) AS x ON true",
        "event",
    ),
    ("UPDATE job SET attempts = 1 WHERE job.id = $1", "reads or changes job"),
    ("DELETE FROM job WHERE job.id = $1", "reads or changes job"),
    ("INSERT INTO job (id, kind) VALUES ($1, $2)", "inserts into job"),
    ("SELECT organization.name FROM organization WHERE organization.name = $1", "reads or changes organization"),
    ("UPDATE job SET run_at = now() WHERE job.org_id = $1", "changes rows by now("),
    ("DELETE FROM job WHERE job.org_id = $1 AND job.run_at < CURRENT_TIMESTAMP", "changes rows by CURRENT_TIMESTAMP"),
    (
        "INSERT INTO job (org_id, id) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET run_at = clock_timestamp()",
        "changes rows by clock_timestamp(",
    ),
    (
        "WITH gone AS (DELETE FROM job WHERE job.org_id = $1 RETURNING id) INSERT INTO audit_entry (org_id) SELECT $1",
        "deletes and inserts",
    ),
    ("MERGE INTO job USING goal ON job.org_id = goal.org_id", "uses MERGE"),
    ("SELECT set_config('app.org_id', $1, true)", "uses set_config"),
    ("SET app.org_id = 'x'", "uses session SET"),
    ("SET LOCAL plan_cache_mode = force_generic_plan", "uses force_generic_plan"),
    ("SELECT job.xmin FROM job WHERE job.org_id = $1", "uses xmin"),
    ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "uses SERIALIZABLE"),
]

GOOD = [
    "SET LOCAL app.org_id = '01985e2c-0000-7000-8000-000000000001'",
    "SELECT clock_timestamp()",
    "SELECT event.row_id FROM event WHERE event.org_id = $1::UUID AND event.type IN ($2, $3) ORDER BY event.row_id",
    "SELECT e.a FROM event AS e JOIN source AS s ON s.org_id = e.org_id AND s.id = e.source_id WHERE e.org_id = $1",
    "SELECT goal.id FROM goal WHERE goal.org_id = $1 AND (goal.state = 'open' OR goal.org_id IS NULL) FOR UPDATE",
    "SELECT 1 FROM event WHERE event.org_id = $1 AND NOT EXISTS (SELECT 1 FROM job WHERE job.org_id = event.org_id)",
    "UPDATE job SET attempts = $1 WHERE job.org_id = $2 AND job.id = $3",
    "INSERT INTO job (org_id, id, kind) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET kind = excluded.kind",
    "SELECT api_key_directory.org_id FROM api_key_directory WHERE api_key_directory.key_id = $1",
    "SELECT job.org_id, job.kind \nFROM job \nWHERE job.run_at <= $1::TIMESTAMP WITH TIME ZONE GROUP BY job.org_id",
    "SELECT organization.name FROM organization WHERE organization.id = $1",
    "SELECT 'FROM event, now()' FROM goal WHERE goal.org_id = $1",
]


@pytest.mark.parametrize(("statement", "finding"), BAD)
def test_a_rule_finds_what_breaks_it(statement: str, finding: str) -> None:
    assert any(finding in each for each in findings(statement)), findings(statement)


@pytest.mark.parametrize("statement", GOOD)
def test_a_confined_statement_breaks_no_rule(statement: str) -> None:
    assert findings(statement) == ()


@pytest.mark.parametrize("ready", everything, ids=lambda ready: ready.text[:60])
def test_a_query_that_runs_without_sqlalchemy_is_confined(ready: Ready) -> None:
    assert findings(ready.text) == ()


@pytest.mark.parametrize("file", sorted((PROJECT / "app").rglob("*.py")), ids=lambda file: file.name)
def test_no_file_speaks_of_what_only_plain_postgresql_takes(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert [name for name, pattern in IN_FILES.items() if re.search(pattern, text)] == []


def test_the_rules_of_files_find_what_breaks_them() -> None:
    bad = [
        "select(func.set_config('app.org_id', x, True))",
        "MERGE INTO job",
        "SET plan_cache_mode = force_generic_plan",
        "CREATE OR REPLACE TRIGGER touch",
        'ForeignKey("a.b", ondelete="SET NULL")',
        "DEFERRABLE INITIALLY DEFERRED",
        "values(at=func.now())",
    ]
    assert len(bad) == len(IN_FILES)
    assert all(re.search(pattern, text) for pattern, text in zip(IN_FILES.values(), bad, strict=True))
