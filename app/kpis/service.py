"""Use cases of KPI definitions, and what the engine asks of them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from pydantic import MISSING
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import service as accounts
from app.accounts.access import Principal
from app.core import audit, clock, etags
from app.core.db import OrganizationId
from app.core.ids import new_id
from app.core.pagination import Key, PageQuery, paginate
from app.core.problems import Conflict, ErrorItem, NotFound, Problem, ValidationFailed, constraint_problem
from app.core.schemas import zone
from app.kpis import queries, schemas
from app.kpis.definition import Measure, looks
from app.kpis.history import KpiHistory, KpiVersionFacts
from app.kpis.models import KpiRow, KpiVersionRow
from app.kpis.wire import DefinitionError, DefinitionWire, Finding, examine, read_definition

RECENT = timedelta(days=90)  # the events that validation looks at (S13)


class KpiNotFound(NotFound):
    """There is no such KPI in this organization, or not at all: we do not tell which."""

    code, title = "kpi-not-found", "KPI not found"


class KpiKeyTaken(Conflict):
    """Another KPI of the organization has this key, perhaps an archived one: choose another."""

    code, title = "kpi-key-taken", "KPI key taken"


class KpiOwnerUnknown(Problem):
    """`owner_id` is no member of the organization."""

    status, code, title = 422, "kpi-owner-unknown", "KPI owner unknown"


class KpiArchived(Conflict):
    """The KPI is archived: set its state to draft or official before it is given a new version."""

    code, title = "kpi-archived", "KPI archived"


class KpiDefinitionInvalid(Problem):
    """The definition cannot be computed: `errors` names each place, and the position inside an expression."""

    status, code, title = 422, "kpi-definition-invalid", "KPI definition invalid"


class UnknownKpi(LookupError):  # noqa: N818  # named by what is so
    """A key that no KPI of the organization has."""

    def __init__(self, key: str) -> None:
        super().__init__(f"there is no KPI {key}")
        self.key = key


constraint_problem("uq_kpi_org_id_key", KpiKeyTaken)
constraint_problem("fk_kpi_member", KpiOwnerUnknown)


async def define_kpi(session: AsyncSession, who: Principal, new: schemas.KpiCreate) -> schemas.Kpi:
    """Store a KPI with its first version. Raises `KpiDefinitionInvalid`; a taken key is `KpiKeyTaken`."""
    wire = _usable(new.wire())
    at = await clock.tick(session, who.org_id)
    row = KpiRow(
        org_id=who.org_id,
        id=new_id(),
        **new.model_dump(include={"key", "name", "description", "owner_id", "state", "category", "indicator"}),
        display=new.display.completed(new.unit.kind),
        thresholds=new.thresholds.model_dump(),
        latest=1,
        version=1,
        recorded_at=at,
    )
    session.add(row)
    await session.flush()  # its version refers to it; and a taken key shows here
    first = _version(row, wire, number=1, valid_from=None, at=at)
    session.add(first)
    audit.record(session, who.org_id, who.label, "create", "kpi", row.id, new.model_dump(mode="json", by_alias=True))
    return _kpi(row, first)


async def list_kpis(session: AsyncSession, org_id: OrganizationId, query: schemas.KpiFilters) -> schemas.KpiPage:
    """The KPIs by key."""
    statement = queries.filtered(org_id, query.state, query.category, query.indicator)
    rows, following = await paginate(session, statement, [Key(KpiRow.key)], query)
    return schemas.KpiPage(items=[_kpi(row, latest) for row, latest in rows], next_cursor=following)


async def get_kpi(session: AsyncSession, org_id: OrganizationId, key: str) -> schemas.Kpi:
    """One KPI with its latest version. Raises `KpiNotFound`."""
    return _kpi(*await _found(session, org_id, key))


async def update_kpi(
    session: AsyncSession, who: Principal, key: str, change: schemas.KpiUpdate, if_match: str | None
) -> schemas.Kpi:
    """Change what a KPI is called and how it is shown; what it computes stays."""
    row, latest = await _locked(session, who.org_id, key)
    etags.check(if_match, row.version)
    wanted = change.model_dump(exclude_unset=True, exclude={"display", "thresholds"})
    if change.display is not MISSING:
        shown = change.display or schemas.DisplayInput()
        wanted["display"] = shown.completed(latest.definition["unit"]["kind"])
    if change.thresholds is not MISSING:
        wanted["thresholds"] = _fitting(change.thresholds or schemas.ThresholdsInput(), latest)
    for field, value in wanted.items():
        setattr(row, field, value)
    row.version += 1
    changes = change.model_dump(mode="json", exclude_unset=True)
    audit.record(session, who.org_id, who.label, "update", "kpi", row.id, changes)
    return _kpi(row, latest)


async def archive_kpi(session: AsyncSession, who: Principal, key: str, if_match: str | None) -> None:
    """Take a KPI out of use; its versions, and what was computed from it, stay."""
    row, _ = await _locked(session, who.org_id, key)
    etags.check(if_match, row.version)
    if row.state != "archived":
        row.state = "archived"
        row.version += 1
        audit.record(session, who.org_id, who.label, "archive", "kpi", row.id)


async def list_versions(
    session: AsyncSession, org_id: OrganizationId, key: str, query: PageQuery
) -> schemas.KpiVersionPage:
    """All versions of a KPI, the newest first. Raises `KpiNotFound`."""
    row, _ = await _found(session, org_id, key)
    statement = queries.versions(org_id, row.id)
    rows, following = await paginate(session, statement, [Key(KpiVersionRow.number, descending=True)], query)
    return schemas.KpiVersionPage(items=[_version_out(version) for version in rows], next_cursor=following)


async def add_version(
    session: AsyncSession, who: Principal, key: str, new: schemas.KpiVersionCreate, if_match: str | None
) -> schemas.KpiVersion:
    """Give a KPI another definition from a day on (S24). Raises `KpiDefinitionInvalid`, `KpiArchived`."""
    wire = _usable(new.wire())
    at = await clock.tick(session, who.org_id)
    row, _ = await _locked(session, who.org_id, key)
    etags.check(if_match, row.version)
    if row.state == "archived":
        raise KpiArchived(f"The KPI {key} is archived.")
    valid_from = new.valid_from
    if valid_from is MISSING:
        settings = await accounts.get_organization(session, who.org_id)
        now = await clock.now(session, who.org_id)
        valid_from = now.astimezone(zone(settings.time_zone)).date()
    row.latest += 1
    row.version += 1
    version = _version(row, wire, number=row.latest, valid_from=valid_from, at=at)
    session.add(version)
    audit.record(
        session, who.org_id, who.label, "add-version", "kpi", row.id, {"number": row.latest, "definition": wire}
    )
    return _version_out(version)


async def validate_definition(
    session: AsyncSession, org_id: OrganizationId, draft: schemas.KpiValidate
) -> schemas.KpiValidation:
    """Everything that is wrong with a definition, or what it is worth (S13)."""
    reading = examine(draft.wire())
    return schemas.KpiValidation(
        ok=reading.definition is not None,
        errors=[schemas.DefinitionFinding.model_validate(finding) for finding in reading.findings],
        unit=str(reading.unit) if reading.unit is not None else None,
        is_additive=reading.definition.is_additive if reading.definition else None,
        recent=await _recent_use(session, org_id, reading.definition.measures) if reading.definition else [],
    )


async def load_kpis(
    session: AsyncSession, org_id: OrganizationId, keys: Iterable[str], known_at: datetime
) -> dict[str, KpiHistory]:
    """The KPIs with the versions recorded by an instant, in the order of the keys.

    One that had not been recorded by then has no versions (`not_recorded_yet`, S5). Raises `UnknownKpi`.
    """
    wanted = list(dict.fromkeys(keys))
    rows = {row.key: row for row in (await session.execute(queries.named(org_id, wanted))).scalars()}
    unknown = next((key for key in wanted if key not in rows), None)
    if unknown is not None:
        raise UnknownKpi(unknown)
    found = queries.versions_as_known(org_id, [row.id for row in rows.values()], known_at)
    versions: dict[UUID, list[KpiVersionFacts]] = {row.id: [] for row in rows.values()}
    for version in (await session.execute(found)).scalars():
        versions[version.kpi_id].append(_facts(version))
    return {key: _history(rows[key], versions[rows[key].id]) for key in wanted}


async def _recent_use(
    session: AsyncSession, org_id: OrganizationId, measures: Mapping[str, Measure]
) -> list[schemas.MeasureUse]:
    until = await clock.now(session, org_id)
    uses = []
    for name, measure in measures.items():
        for look in looks(measure):
            counted = queries.lacking(org_id, look.events, look.properties, until - RECENT, until)
            events, *missing = (await session.execute(counted)).one()
            lacked = [
                schemas.PropertyUse(key=key, missing=count) for key, count in zip(look.properties, missing, strict=True)
            ]
            pointer = f"/measures/{name}{look.place}"
            uses.append(schemas.MeasureUse(pointer=pointer, events=events, properties=lacked))
    return uses


def _usable(wire: DefinitionWire) -> DefinitionWire:
    try:
        read_definition(wire)
    except DefinitionError as error:
        raise _invalid(error.findings) from None
    return wire


def _invalid(findings: Sequence[Finding]) -> KpiDefinitionInvalid:
    items = [
        ErrorItem(
            pointer=finding.pointer,
            message=finding.message + (f" Expected: {finding.expected}." if finding.expected else ""),
            code="definition_invalid" if finding.position is None else "expression_invalid",
            position=finding.position,
            length=finding.length,
            suggestion=finding.suggestion,
        )
        for finding in findings
    ]
    more = f" (and {len(items) - 1} more)" if len(items) > 1 else ""
    return KpiDefinitionInvalid(f"{items[0].pointer}: {items[0].message}{more}", items)


def _fitting(thresholds: schemas.ThresholdsInput, latest: KpiVersionRow) -> dict[str, Any]:
    if not thresholds.fit(latest.definition["direction"]):
        message = "good must lie on the side of poor where the direction points"
        raise ValidationFailed.at("/thresholds", message, "thresholds_crossed")
    return thresholds.model_dump()


async def _found(session: AsyncSession, org_id: OrganizationId, key: str) -> tuple[KpiRow, KpiVersionRow]:
    found = (await session.execute(queries.kpi(org_id, key))).one_or_none()
    if found is None:
        raise KpiNotFound(f"No KPI {key}.")
    return found[0], found[1]


async def _locked(session: AsyncSession, org_id: OrganizationId, key: str) -> tuple[KpiRow, KpiVersionRow]:
    # The KPI's row alone first: a join that waited for the lock would show the version of before the wait.
    await session.execute(queries.named(org_id, [key]).with_for_update())
    return await _found(session, org_id, key)


def _version(row: KpiRow, wire: DefinitionWire, *, number: int, valid_from: Any, at: datetime) -> KpiVersionRow:
    return KpiVersionRow(
        org_id=row.org_id,
        kpi_id=row.id,
        number=number,
        valid_from=valid_from,
        definition=dict(wire),
        recorded_at=at,
    )


def _kpi(row: KpiRow, latest: KpiVersionRow) -> schemas.Kpi:
    return schemas.Kpi.model_validate(
        {
            **{name: getattr(row, name) for name in _DESCRIPTIVE},
            **_content(latest),
            "definition_version": latest.number,
            "valid_from": latest.valid_from,
            "created_at": row.recorded_at,
        }
    )


_DESCRIPTIVE = (
    "id", "key", "name", "description", "owner_id", "state", "category", "indicator", "display", "thresholds", "version"
)  # fmt: skip


def _version_out(version: KpiVersionRow) -> schemas.KpiVersion:
    return schemas.KpiVersion.model_validate(
        {
            "number": version.number,
            "valid_from": version.valid_from,
            "recorded_at": version.recorded_at,
            **_content(version),
        }
    )


def _content(version: KpiVersionRow) -> dict[str, Any]:
    return {**version.definition, "is_additive": _facts(version).definition.is_additive}


def _facts(version: KpiVersionRow) -> KpiVersionFacts:
    wire = cast(DefinitionWire, version.definition)
    return KpiVersionFacts(
        number=version.number,
        valid_from=version.valid_from,
        recorded_at=version.recorded_at,
        definition=read_definition(wire),
        unit=version.definition["unit"],
    )


def _history(row: KpiRow, versions: Sequence[KpiVersionFacts]) -> KpiHistory:
    return KpiHistory(
        id=row.id,
        key=row.key,
        name=row.name,
        state=row.state,
        recorded_at=row.recorded_at,
        display=row.display,
        thresholds=row.thresholds,
        versions=tuple(versions),
    )
