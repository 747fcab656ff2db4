"""Use cases of KPI definitions, and what the engine asks of them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

from pydantic import MISSING
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import service as accounts
from app.accounts.access import Principal
from app.core import audit, clock, etags
from app.core.configuration import kept
from app.core.db import OrganizationId
from app.core.ids import new_id
from app.core.pagination import Key, PageQuery, paginate
from app.core.problems import Conflict, ErrorItem, NotFound, Problem, ValidationFailed, constraint_problem
from app.core.schemas import zone
from app.events.queries import type_names
from app.events.waking import wake
from app.kpis import queries, schemas
from app.kpis.definition import Definition, Measure, looks
from app.kpis.expressions.checker import nearest
from app.kpis.expressions.parser import parse
from app.kpis.expressions.syntax import ExpressionError, references
from app.kpis.history import KpiHistory, KpiVersionFacts, additive_kpis, is_additive
from app.kpis.models import KpiRow, KpiVersionRow
from app.kpis.references import dependants
from app.kpis.referring import graph_of, others, unit_of_wire
from app.kpis.sentences import LANGUAGES, Language, sentence
from app.kpis.wire import DefinitionWire, Finding, Other, examine, read_definition

_EVER = datetime.max.replace(tzinfo=UTC)  # known at the end of time: everything that was recorded
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
    pointer = "/owner_id"


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
    _fitting_nature(new)
    wire = new.wire()
    at = await _usable_at(session, who.org_id, new.key, wire)
    row = KpiRow(
        org_id=who.org_id,
        id=new_id(),
        **new.model_dump(
            include={"key", "name", "description", "owner_id", "state", "category", "indicator", "nature"}
        ),
        scoring=new.scoring.stored() if new.scoring else None,
        display=new.display.completed(cast(schemas.Kind, wire["unit"]["kind"])),
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
    await wake(session, who.org_id)
    return await _kpi(session, row, first)


async def list_kpis(session: AsyncSession, org_id: OrganizationId, query: schemas.KpiFilters) -> schemas.KpiPage:
    """The KPIs by key."""
    statement = queries.filtered(
        org_id, state=query.state, category=query.category, indicator=query.indicator, nature=query.nature
    )
    rows, following = await paginate(session, statement, [Key(KpiRow.key)], query)
    additive = await _additive(session, org_id, [latest for _, latest in rows])
    return schemas.KpiPage(items=[_kpi_out(row, latest, additive) for row, latest in rows], next_cursor=following)


async def get_kpi(session: AsyncSession, org_id: OrganizationId, key: str) -> schemas.Kpi:
    """One KPI with its latest version. Raises `KpiNotFound`."""
    return await _kpi(session, *await _found(session, org_id, key))


async def update_kpi(
    session: AsyncSession, who: Principal, key: str, change: schemas.KpiUpdate, if_match: str | None
) -> schemas.Kpi:
    """Change what a KPI is called and how it is shown; what it computes stays."""
    await clock.configure(session, who.org_id)
    row, latest = await _locked(session, who.org_id, key)
    etags.check(if_match, row.version)
    wanted = change.model_dump(exclude_unset=True, exclude={"display", "thresholds", "scoring"})
    if change.display is not MISSING:
        shown = change.display or schemas.DisplayInput()
        wanted["display"] = shown.completed(latest.definition["unit"]["kind"])
    if change.thresholds is not MISSING:
        wanted["thresholds"] = _fitting(change.thresholds or schemas.ThresholdsInput(), latest)
    if change.scoring is not MISSING:
        wanted["scoring"] = _scoring_of(row, change.scoring)
    for field, value in wanted.items():
        setattr(row, field, value)
    row.version += 1
    changes = change.model_dump(mode="json", exclude_unset=True)
    audit.record(session, who.org_id, who.label, "update", "kpi", row.id, changes)
    await wake(session, who.org_id)
    return await _kpi(session, row, latest)


async def archive_kpi(session: AsyncSession, who: Principal, key: str, if_match: str | None) -> None:
    """Take a KPI out of use; its versions, and what was computed from it, stay."""
    await clock.configure(session, who.org_id)
    row, _ = await _locked(session, who.org_id, key)
    etags.check(if_match, row.version)
    if row.state != "archived":
        row.state = "archived"
        row.version += 1
        audit.record(session, who.org_id, who.label, "archive", "kpi", row.id)
        await wake(session, who.org_id)


async def list_versions(
    session: AsyncSession, org_id: OrganizationId, key: str, query: PageQuery
) -> schemas.KpiVersionPage:
    """All versions of a KPI, the newest first. Raises `KpiNotFound`."""
    row, _ = await _found(session, org_id, key)
    statement = queries.versions(org_id, row.id)
    rows, following = await paginate(session, statement, [Key(KpiVersionRow.number, descending=True)], query)
    additive = await _additive(session, org_id, rows)
    return schemas.KpiVersionPage(items=[_version_out(version, additive) for version in rows], next_cursor=following)


async def add_version(
    session: AsyncSession, who: Principal, key: str, new: schemas.KpiVersionCreate, if_match: str | None
) -> schemas.KpiVersion:
    """Give a KPI another definition from a day on (S24). Raises `KpiDefinitionInvalid`, `KpiArchived`."""
    wire = new.wire()
    at = await _usable_at(session, who.org_id, key, wire)
    row, latest = await _locked(session, who.org_id, key)
    etags.check(if_match, row.version)
    if row.state == "archived":
        raise KpiArchived(f"The KPI {key} is archived.")
    await _keep_unit(session, who.org_id, key, latest, wire)
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
    await wake(session, who.org_id)
    return _version_out(version, await _additive(session, who.org_id, [version]))


async def drafted_version(
    session: AsyncSession, org_id: OrganizationId, key: str, new: schemas.KpiVersionCreate, today: date
) -> KpiVersionFacts:
    """The version as it would be added now; nothing is stored. Raises `KpiNotFound`, and as `add_version` does."""
    wire = new.wire()
    row, latest = await _found(session, org_id, key)
    if row.state == "archived":
        raise KpiArchived(f"The KPI {key} is archived.")
    _require_usable(wire, await others(session, org_id, key, _named(wire)))
    await _keep_unit(session, org_id, key, latest, wire)
    valid_from = today if new.valid_from is MISSING else new.valid_from
    at = await clock.now(session, org_id)
    return _facts(_version(row, wire, number=row.latest + 1, valid_from=valid_from, at=at))


async def validate_definition(
    session: AsyncSession, org_id: OrganizationId, draft: schemas.KpiValidate
) -> schemas.KpiValidation:
    """Everything that is wrong with a definition, or what it is worth (S13)."""
    wire = draft.wire()
    reading = examine(wire, await others(session, org_id, draft.key, _named(wire)))
    definition = reading.definition
    named = sorted(references(definition.formula)) if definition else []
    known = await load_kpis_with_references(session, org_id, named, _EVER)
    return schemas.KpiValidation(
        ok=definition is not None,
        errors=[schemas.DefinitionFinding.model_validate(finding) for finding in reading.findings],
        unit=str(reading.unit) if reading.unit is not None else None,
        is_additive=is_additive(definition, additive_kpis(known)) if definition else None,
        references=named,
        sentences=_sentences(definition, known) if definition else None,
        recent=await _recent_use(session, org_id, definition.measures) if definition else [],
        warnings=await _unknown_types(session, org_id, definition.measures) if definition else [],
    )


async def explain_kpi(
    session: AsyncSession, org_id: OrganizationId, key: str, language: Language
) -> schemas.KpiSentence:
    """What the latest version computes, in one sentence. Raises `KpiNotFound`."""
    _, latest = await _found(session, org_id, key)
    definition = _facts(latest).definition
    known = await load_kpis(session, org_id, sorted(references(definition.formula)), _EVER)
    text = sentence(definition, language, {key: other.name for key, other in known.items()})
    return schemas.KpiSentence(definition_version=latest.number, language=language, sentence=text)


async def load_kpis(
    session: AsyncSession, org_id: OrganizationId, keys: Iterable[str], known_at: datetime
) -> dict[str, KpiHistory]:
    """The KPIs with the versions recorded by an instant, in the order of the keys.

    One that had not been recorded by then has no versions (`not_recorded_yet`, S5). Raises `UnknownKpi`.
    """
    wanted = list(dict.fromkeys(keys))
    place = await kept(session, org_id, known_at)
    found: dict[str, KpiHistory] = {key: place["kpi", key] for key in wanted if ("kpi", key) in place}
    if missing := [key for key in wanted if key not in found]:
        loaded = await _load_kpis(session, org_id, missing, known_at)
        for key, history in loaded.items():
            place["kpi", key] = found[key] = history
    return {key: found[key] for key in wanted}


async def _load_kpis(
    session: AsyncSession, org_id: OrganizationId, wanted: Sequence[str], known_at: datetime
) -> dict[str, KpiHistory]:
    rows: dict[str, KpiRow] = {}
    versions: dict[str, list[KpiVersionFacts]] = {}
    for row, version in (await session.execute(queries.with_versions(org_id, wanted, known_at))).all():
        rows[row.key] = row
        versions.setdefault(row.key, []).extend([_facts(version)] if version else [])
    unknown = next((key for key in wanted if key not in rows), None)
    if unknown is not None:
        raise UnknownKpi(unknown)
    return {key: _history(rows[key], versions[key]) for key in wanted}


async def load_kpis_with_references(
    session: AsyncSession,
    org_id: OrganizationId,
    keys: Iterable[str],
    known_at: datetime,
    *,
    given: Mapping[str, KpiHistory] | None = None,
) -> dict[str, KpiHistory]:
    """As `load_kpis`, and after the KPIs that were asked for all that they are computed from; a query each level.

    `given` stand in for what is stored.
    """
    known: dict[str, KpiHistory] = {}
    instead = given or {}
    wanted = list(dict.fromkeys(keys))
    while wanted:
        asked = [key for key in wanted if key not in instead]
        stored = await load_kpis(session, org_id, asked, known_at) if asked else {}
        known |= {key: instead[key] if key in instead else stored[key] for key in wanted}
        versions = [version for key in wanted for version in known[key].versions]
        named = {other for version in versions for other in references(version.definition.formula)}
        wanted = sorted(named - known.keys())
    return known


def _sentences(definition: Definition, known: Mapping[str, KpiHistory]) -> dict[Language, str]:
    names = {key: other.name for key, other in known.items()}
    return {language: sentence(definition, language, names) for language in LANGUAGES}


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


async def _unknown_types(
    session: AsyncSession, org_id: OrganizationId, measures: Mapping[str, Measure]
) -> list[schemas.DefinitionFinding]:
    """Types that nobody has heard of: probably misspelled, perhaps to come."""
    known = list((await session.execute(type_names(org_id))).scalars())
    return [
        schemas.DefinitionFinding(
            pointer=f"/measures/{name}{look.place}/events",
            message=f"No event of the type {kind} is known yet.",
            position=None,
            length=None,
            expected=None,
            suggestion=nearest(kind, known),
        )
        for name, measure in measures.items()
        for look in looks(measure)
        for kind in look.events
        if kind not in known
    ]


async def _usable_at(session: AsyncSession, org_id: OrganizationId, key: str, wire: DefinitionWire) -> datetime:
    """The instant at which a definition is recorded. Raises `KpiDefinitionInvalid`.

    Whether it may refer to other KPIs is decided under the organization's lock, so that two writers cannot close a
    circle together.
    """
    named = _named(wire)
    if not named:
        _require_usable(wire, {})
        return await clock.tick(session, org_id)
    at = await clock.tick(session, org_id)
    _require_usable(wire, await others(session, org_id, key, named))
    return at


def _require_usable(wire: DefinitionWire, known: Mapping[str, Other]) -> None:
    reading = examine(wire, known)
    if reading.definition is None:
        raise _invalid(reading.findings)


def _named(wire: DefinitionWire) -> frozenset[str]:
    try:
        return references(parse(wire["formula"]))
    except ExpressionError:
        return frozenset()


async def _keep_unit(
    session: AsyncSession, org_id: OrganizationId, key: str, latest: KpiVersionRow, wire: DefinitionWire
) -> None:
    """Refuse another unit while other KPIs are computed from this one."""
    before, after = unit_of_wire(latest.definition["unit"]), unit_of_wire(wire["unit"])
    using = dependants(await graph_of(session, org_id), key) if before != after else []
    if using:
        message = (
            f"Other KPIs are computed from this one, which is {before}, and it cannot become {after}: "
            f"{', '.join(using)}."
        )
        raise _invalid([Finding(pointer="/unit", message=message, expected=str(before))])


def _fitting_nature(new: schemas.KpiCreate) -> None:
    if new.nature == "qualitative" and new.scoring is None:
        message = "a qualitative KPI needs scoring: who gives scores, and on which scale"
        raise ValidationFailed.at("/scoring", message, "missing")
    if new.nature == "quantitative" and new.scoring is not None:
        raise ValidationFailed.at("/scoring", "only a qualitative KPI has scoring", "scoring_unused")


def _scoring_of(row: KpiRow, scoring: schemas.ScoringInput) -> dict[str, Any]:
    if row.nature != "qualitative":
        raise ValidationFailed.at("/scoring", "only a qualitative KPI has scoring", "scoring_unused")
    return scoring.stored()


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


async def _kpi(session: AsyncSession, row: KpiRow, latest: KpiVersionRow) -> schemas.Kpi:
    return _kpi_out(row, latest, await _additive(session, row.org_id, [latest]))


async def _additive(
    session: AsyncSession, org_id: OrganizationId, versions: Iterable[KpiVersionRow]
) -> Mapping[str, bool]:
    """Which KPIs that these versions refer to are additive."""
    named = {key for version in versions for key in _named(cast(DefinitionWire, version.definition))}
    return additive_kpis(await load_kpis_with_references(session, org_id, sorted(named), _EVER))


def _kpi_out(row: KpiRow, latest: KpiVersionRow, additive: Mapping[str, bool]) -> schemas.Kpi:
    return schemas.Kpi.model_validate(
        {
            **{name: getattr(row, name) for name in _DESCRIPTIVE},
            **_content(latest, additive),
            "definition_version": latest.number,
            "valid_from": latest.valid_from,
            "created_at": row.recorded_at,
        }
    )


_GIVEN = ("key", "name", "description", "owner_id", "state", "category", "indicator", "nature")
_DESCRIPTIVE = ("id", *_GIVEN, "scoring", "display", "thresholds", "version")


def _version_out(version: KpiVersionRow, additive: Mapping[str, bool]) -> schemas.KpiVersion:
    return schemas.KpiVersion.model_validate(
        {
            "number": version.number,
            "valid_from": version.valid_from,
            "recorded_at": version.recorded_at,
            **_content(version, additive),
        }
    )


def _content(version: KpiVersionRow, additive: Mapping[str, bool]) -> dict[str, Any]:
    definition = _facts(version).definition
    return {
        **version.definition,
        "is_additive": is_additive(definition, additive),
        "references": sorted(references(definition.formula)),
    }


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
