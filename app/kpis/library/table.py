"""The library as the table of its guide."""

from app.kpis.library.catalogue import LIBRARY

_AREAS = {
    "sales_results": "Sales results",
    "team_performance": "Team performance",
    "coaching": "Coaching and development",
    "customer_satisfaction": "Customer satisfaction",
    "planning": "Goal setting, planning and strategy",
}


def as_markdown() -> str:
    """A table for each area: key, name, what it tells, leading or lagging, for whom, from where."""
    return "\n\n".join(f"### {title}\n\n{_table(area)}" for area, title in _AREAS.items())


def _table(area: str) -> str:
    rows = [
        f"| `{entry.key}` | {entry.name} | {entry.description} | {entry.indicator}"
        f"{', scored' if entry.nature == 'qualitative' else ''} | {', '.join(entry.roles).replace('_', ' ')} "
        f"| {', '.join(entry.sources)} |"
        for entry in LIBRARY.values()
        if entry.category == area
    ]
    return "\n".join(
        ["| key | name | tells | indicator | for | from |", "| --- | --- | --- | --- | --- | --- |", *rows]
    )
