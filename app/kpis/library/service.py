"""Use cases of the library: what there is, whether the data have what it needs, and installing it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import clock
from app.core.db import OrganizationId
from app.core.pagination import Key, paginate
from app.core.problems import ErrorItem, NotFound, ValidationFailed
from app.kpis import queries as kpi_queries
from app.kpis import service as kpis
from app.kpis.definition import Definition
from app.kpis.expressions.checker import nearest
from app.kpis.library import needs, queries, schemas
from app.kpis.library.catalogue import LIBRARY, refers_to, with_references
from app.kpis.library.entries import Entry
from app.kpis.models import KpiRow, KpiVersionRow
from app.kpis.schemas import Kind, KpiCreate
from app.kpis.wire import DefinitionWire, read_definition

Existing = Mapping[str, tuple[KpiRow, KpiVersionRow]]
_ARCHIVED = "Give the archived KPI back (`PATCH /v1/kpis/{key}` with a state), or install under its key no more."
_DIFFERS = "To take the library's definition over, post it as a new version (`POST /v1/kpis/{key}/versions`)."


class LibraryKpiNotFound(NotFound):
    """The library has no KPI with this key."""

    code, title = "library-kpi-not-found", "Library KPI not found"


async def list_library(
    session: AsyncSession, org_id: OrganizationId, query: schemas.LibraryFilters
) -> schemas.LibraryPage:
    """The ready-made KPIs, by area."""
    statement, place = queries.in_order([entry.key for entry in LIBRARY.values() if _is_wanted(entry, query)])
    keys, following = await paginate(session, statement, [Key(place)], query)
    entries = [LIBRARY[key] for key in keys]
    shown = await _shown(session, org_id, entries)
    items = [schemas.LibraryKpi.model_validate(shown[entry.key]) for entry in entries]
    return schemas.LibraryPage(items=items, next_cursor=following)


async def get_library_kpi(session: AsyncSession, org_id: OrganizationId, key: str) -> schemas.LibraryKpiDetail:
    """One ready-made KPI with its examples. Raises `LibraryKpiNotFound`."""
    if key not in LIBRARY:
        raise LibraryKpiNotFound(f"The library has no KPI {key}.{_meant(key)}")
    shown = await _shown(session, org_id, [LIBRARY[key]])
    examples = [schemas.plain(asdict(example)) for example in LIBRARY[key].examples]
    return schemas.LibraryKpiDetail.model_validate({**shown[key], "examples": examples})


async def install(session: AsyncSession, who: Principal, wanted: schemas.LibraryInstall) -> schemas.LibraryInstalled:
    """Define what is wanted and what that is computed from; what the organization has stays as it is."""
    asked = _asked(wanted)
    await clock.tick(session, who.org_id)  # two installers at once: the second sees what the first made
    ordered = with_references(asked)
    existing = await _existing(session, who.org_id, ordered)
    items = []
    for key in ordered:
        outcome, detail = await _install(session, who, LIBRARY[key], existing.get(key), wanted.state)
        items.append(schemas.LibraryOutcome(key=key, outcome=outcome, is_reference=key not in asked, detail=detail))
    return schemas.LibraryInstalled(items=items, counts=Counter(item.outcome for item in items))


def wire_of(entry: Entry) -> DefinitionWire:
    """The definition as it is stored."""
    return _created(entry.key).wire()


def definition_of(entry: Entry) -> Definition:
    """The definition as plain values."""
    return _definition(entry.key)


@lru_cache(maxsize=256)
def _created(key: str) -> KpiCreate:
    return KpiCreate.model_validate(LIBRARY[key].body("draft"))


@lru_cache(maxsize=256)
def _definition(key: str) -> Definition:
    return read_definition(_created(key).wire())


def _is_wanted(entry: Entry, query: schemas.LibraryFilters) -> bool:
    if query.role is not None and query.role not in entry.roles:
        return False
    asked = ((query.category, entry.category), (query.indicator, entry.indicator), (query.nature, entry.nature))
    return all(one is None or one == other for one, other in asked)


def _meant(key: str) -> str:
    suggestion = nearest(key, LIBRARY)
    return f" Did you mean {suggestion}?" if suggestion else ""


def _asked(wanted: schemas.LibraryInstall) -> list[str]:
    unknown = [
        ErrorItem(
            pointer=f"/keys/{place}",
            message=f"The library has no KPI {key}.",
            code="library_kpi_unknown",
            suggestion=nearest(key, LIBRARY),
        )
        for place, key in enumerate(wanted.keys)
        if key not in LIBRARY
    ]
    if unknown:
        raise ValidationFailed(unknown[0].message, unknown)
    for_roles = [entry.key for entry in LIBRARY.values() if set(entry.roles) & set(wanted.roles)]
    return list(dict.fromkeys([*wanted.keys, *for_roles]))


async def _existing(session: AsyncSession, org_id: OrganizationId, keys: Iterable[str]) -> Existing:
    statement = kpi_queries.kpis(org_id).where(KpiRow.key.in_(list(keys)))
    return {row.key: (row, latest) for row, latest in (await session.execute(statement)).all()}


async def _install(
    session: AsyncSession, who: Principal, entry: Entry, found: tuple[KpiRow, KpiVersionRow] | None, state: str
) -> tuple[schemas.Outcome, str | None]:
    if found is not None:
        match _installed_as(entry, *found):
            case "archived":
                return "key_taken", _ARCHIVED.format(key=entry.key)
            case "differs":
                return "differs", _DIFFERS.format(key=entry.key)
        return "exists", None
    try:
        await kpis.define_kpi(session, who, KpiCreate.model_validate(entry.body(state)))
    except kpis.KpiDefinitionInvalid as refusal:
        # Of ours only a reference can be wrong here: to a KPI that was archived, or given another unit.
        return "not_possible", refusal.detail
    return "installed", None


def _installed_as(entry: Entry, row: KpiRow, latest: KpiVersionRow) -> schemas.InstalledAs:
    if row.state == "archived":
        return "archived"
    return "same" if latest.definition == wire_of(entry) else "differs"


async def _shown(
    session: AsyncSession, org_id: OrganizationId, entries: Sequence[Entry]
) -> dict[str, dict[str, Any]]:  # Any: the fields of a schema
    """Each entry with what the organization has of it and for it."""
    existing = await _existing(session, org_id, [entry.key for entry in entries])
    wanted = {entry.key: _all_needs(entry) for entry in entries}
    seen = await _seen(session, org_id, [need for each in wanted.values() for need in each])
    shown = {}
    for entry in entries:
        found = existing.get(entry.key)
        as_ = None if found is None else _installed_as(entry, *found)
        shown[entry.key] = {
            **_told(entry),
            "installed": as_ in {"same", "differs"},
            "installed_as": as_,
            "needs": _needs(entry, [needs.compare(need, seen) for need in wanted[entry.key]]),
        }
    return shown


async def _seen(session: AsyncSession, org_id: OrganizationId, wanted: Sequence[needs.Need]) -> dict[str, needs.Seen]:
    types = sorted({kind for need in wanted for kind in need.events})
    carrying = sorted({what for need in wanted for what in need.carrying})
    if not types:
        return {}
    until = await clock.now(session, org_id)
    rows = await session.execute(queries.carried(org_id, types, carrying, until - kpis.RECENT, until))
    return {
        kind: needs.Seen(events=events, carrying=dict(zip(carrying, counts, strict=True)))
        for kind, events, *counts in rows
    }


def _all_needs(entry: Entry) -> list[needs.Need]:
    found = (need for key in with_references([entry.key]) for need in needs.needs_of(definition_of(LIBRARY[key])))
    return list(dict.fromkeys(found))


def _needs(entry: Entry, findings: Sequence[needs.Finding]) -> dict[str, Any]:  # Any: the fields of a schema
    formulas = [definition_of(LIBRARY[key]).formula for key in with_references([entry.key])]
    return {
        "readiness": needs.worst(findings),
        "events": [
            {
                "events": finding.need.events,
                "carrying": finding.need.carrying,
                "recent": finding.events,
                "lacking": finding.lacking,
                "readiness": finding.readiness,
            }
            for finding in findings
        ],
        "targets": list(dict.fromkeys(key for formula in formulas for key in needs.targets_of(formula))),
        "staffing": sorted({name for formula in formulas for name in needs.staffing_of(formula)}),
    }


def _told(entry: Entry) -> dict[str, Any]:  # Any: the fields of a schema
    created = _created(entry.key)
    wire = created.wire()
    names = ("key", "name", "description", "category", "indicator", "nature", "direction", "formula", "method")
    return {
        **{name: getattr(entry, name) for name in names},
        "scoring": created.scoring.stored() if created.scoring else None,
        "unit": wire["unit"],
        "measures": wire["measures"],
        "references": refers_to(entry),
        "display": created.display.completed(cast(Kind, wire["unit"]["kind"])),
        "thresholds": created.thresholds.model_dump(),
        "roles": entry.roles,
        "sources": entry.sources,
        "if_missing": entry.if_missing,
    }
