"""The rules of statements that run on plain PostgreSQL and on Citus (`citus.md` rules 13 to 19, 28).

They are asked of the text of every statement that the application executes while the tests run, and of every file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from app.core.db import TENANT
from app.models import metadata
from tests.migrations.schema_rules import ROOT

TENANTS = frozenset(table.name for table in metadata.sorted_tables if table.info.get("placement") == TENANT)

# The worker's one look across organizations (rule 32): it reads the due list, and nothing else.
ACROSS_ORGANIZATIONS = re.compile(r"^SELECT job\.org_id, job\.kind\s+FROM job\s+WHERE job\.run_at <= \$1[^()]*GROUP BY")

_REFERENCE = re.compile(
    r"(?:\b(?P<verb>FROM|JOIN|UPDATE|USING|INTO|LATERAL|ONLY)\s+|,\s*)(?:ONLY\s+)?\"?(?P<table>[a-z_]+)\"?"
    r"(?:\s+(?:AS\s+)?\"?(?P<alias>(?!(?:SET|WHERE|JOIN|LEFT|RIGHT|INNER|FULL|CROSS|ON|ORDER|GROUP|LIMIT|FOR|VALUES"
    r"|UNION|USING|RETURNING|HAVING|AS|FETCH|OFFSET|TABLESAMPLE|DEFAULT|SELECT|NATURAL|EXCEPT|INTERSECT)\b)[A-Za-z_]\w*)\"?)?",
)
_ARMS = re.compile(r"\b(?:UNION ALL|UNION|INTERSECT|EXCEPT)\b")
_QUERY = re.compile(r"\s*(?:SELECT|WITH|INSERT|UPDATE|DELETE)\b")
_LITERAL = re.compile(r"'(?:[^']|'')*'")
_VOLATILE = re.compile(
    r"\b(?:now|clock_timestamp|statement_timestamp|transaction_timestamp|random|gen_random_uuid|uuidv7)\s*\("
    r"|\bCURRENT_(?:TIMESTAMP|DATE|TIME)\b|\bLOCALTIME",
    re.IGNORECASE,
)
_FORBIDDEN = {
    "set_config": re.compile(r"\bset_config\s*\(", re.IGNORECASE),
    "session SET of the organization": re.compile(r"\bSET\s+(?:SESSION\s+)?app\.org_id", re.IGNORECASE),
    "MERGE": re.compile(r"\bMERGE\s+INTO\b", re.IGNORECASE),
    "force_generic_plan": re.compile(r"force_generic_plan", re.IGNORECASE),
    "xmin": re.compile(r"\bxmin\b", re.IGNORECASE),
    "SERIALIZABLE": re.compile(r"\bISOLATION LEVEL SERIALIZABLE\b", re.IGNORECASE),
}


@dataclass
class _Scope:
    """One query with the text of its own parentheses, and the queries inside it."""

    text: str = ""
    inner: list["_Scope"] = field(default_factory=list)


@lru_cache(maxsize=4096)
def findings(statement: str) -> tuple[str, ...]:
    """What a statement does against the rules."""
    plain = _LITERAL.sub("''", statement)
    if ACROSS_ORGANIZATIONS.match(plain):
        return ()
    return (*_forbidden(plain), *_volatile(plain), *_mixed(plain), *_unconfined(_scopes(plain)))


def _forbidden(statement: str) -> Iterator[str]:
    """Rules 12, 17, 23, 28."""
    return (f"uses {name}" for name, pattern in _FORBIDDEN.items() if pattern.search(statement))


def _volatile(statement: str) -> Iterator[str]:
    """Rules 15, 16 and 19: instants of changes are parameters."""
    changes = re.search(r"\b(?:UPDATE|DELETE FROM|DO UPDATE SET)\b(?P<rest>.*)", statement, re.DOTALL)
    is_lock = re.search(r"\bFOR (?:NO KEY )?UPDATE\b", statement) and not re.search(
        r"^\s*(?:UPDATE|DELETE)|DO UPDATE|\bSET\b", statement
    )
    if changes and not is_lock and (found := _VOLATILE.search(changes["rest"])):
        yield f"changes rows by {found[0]}"


def _mixed(statement: str) -> Iterator[str]:
    """Rule 17: no deletion and insertion in one statement."""
    if re.search(r"\bDELETE FROM\b", statement) and re.search(r"\bINSERT INTO\b", statement):
        yield "deletes and inserts in one statement"


def _scopes(statement: str) -> _Scope:
    root = _Scope()
    stack: list[_Scope] = [root]
    texts: list[list[str]] = [[]]
    is_query: list[bool] = []
    for position, letter in enumerate(statement):
        if letter == "(":
            is_query.append(_QUERY.match(statement, position + 1) is not None)
            if is_query[-1]:
                stack.append(_Scope())
                texts.append([])
                continue
        elif letter == ")" and is_query and is_query.pop():
            done = stack.pop()
            done.text = "".join(texts.pop())
            stack[-1].inner.append(done)
            texts[-1].append("()")
            continue
        texts[-1].append(letter)
    root.text = "".join(texts[0])
    return root


def _unconfined(scope: _Scope) -> Iterator[str]:
    """Rules 13 and 14: each reference to a tenant's table, in each arm, names its organization."""
    for arm in _ARMS.split(scope.text):
        for match in _REFERENCE.finditer(arm):
            if match["table"] in TENANTS and (match["verb"] or _is_in_list(arm, match.start())):
                yield from _reference(arm, match)
    for inner in scope.inner:
        yield from _unconfined(inner)


def _is_in_list(arm: str, position: int) -> bool:
    """Whether a comma stands between tables and not between columns: after FROM, before any condition."""
    before = arm[:position]
    last = max(before.rfind(" FROM "), before.rfind("\nFROM "))
    return last >= 0 and not re.search(r"\b(?:WHERE|GROUP BY|ORDER BY|ON|SET|RETURNING)\b", before[last:])


def _reference(arm: str, match: re.Match[str]) -> Iterator[str]:
    table = match["table"]
    if match["verb"] == "INTO":
        columns = arm[match.end() :].lstrip().removeprefix("(").split(")")[0]
        key = "id" if table == ROOT else "org_id"
        if key not in {column.strip().strip('"') for column in columns.split(",")}:
            yield f"inserts into {table} without {key}"
        return
    name = match["alias"] or table
    key = re.escape(f"{name}.{'id' if table == ROOT else 'org_id'}")
    named = rf"(?<![\w.]){key}\s*(?:=|IN\b)|=\s*{key}\b|\(\s*{key}\s*,"
    own = r"(?:WHERE|AND|ON|\()\s*org_id\s*=" if table != ROOT else r"(?:WHERE|AND|\()\s*id\s*="
    if not re.search(named, arm) and not (match["alias"] is None and re.search(own, arm)):
        yield f"reads or changes {name} without its organization"
