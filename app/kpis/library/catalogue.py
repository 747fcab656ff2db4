"""All entries of the library, by key and in the order in which a reader meets them."""

from collections.abc import Iterable, Mapping

from app.kpis.expressions.parser import parse
from app.kpis.expressions.syntax import Name, walk
from app.kpis.library import (
    activity,
    customers,
    follow_up,
    funnel,
    leadership,
    pipeline,
    response,
    sales,
    satisfaction,
    team,
    value,
)
from app.kpis.library.entries import Entry

_AREAS = (activity, sales, pipeline, customers, value, response, follow_up, funnel, satisfaction, team, leadership)
LIBRARY: Mapping[str, Entry] = {entry.key: entry for area in _AREAS for entry in area.ENTRIES}


def refers_to(entry: Entry) -> list[str]:
    """The keys of the KPIs that the formula names, as they stand in it, each once."""
    names = (node.path for node in walk(parse(entry.formula)) if isinstance(node, Name))
    return list(dict.fromkeys(path[1] for path in names if path[0] == "kpi"))


def with_references(keys: Iterable[str]) -> list[str]:
    """The entries with these keys and all that they refer to, each after those that it needs."""
    ordered: dict[str, None] = {}

    def add(key: str) -> None:
        if key not in ordered:
            for reference in refers_to(LIBRARY[key]):
                add(reference)
            ordered[key] = None

    for key in keys:
        add(key)
    return list(ordered)
