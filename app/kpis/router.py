"""Paths of KPI definitions."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response

from app.accounts.access import Principal, Session, requires
from app.accounts.permissions import Permission
from app.core import etags
from app.core.pagination import PageQuery
from app.core.problems import PreconditionFailed, problems
from app.core.routing import TransactionalRoute, read_only
from app.kpis import schemas, service
from app.kpis.completion import complete
from app.kpis.completion_schemas import Completions, KpiComplete
from app.kpis.sentences import preferred

router = APIRouter(prefix="/kpis", route_class=TransactionalRoute, tags=["kpis"])

Reader = Annotated[Principal, requires(Permission.KPIS_READ)]
Writer = Annotated[Principal, requires(Permission.KPIS_WRITE)]
KpiKey = Annotated[schemas.KpiKey, Path(description="The KPI's key.", examples=["win_rate_closed"])]

AcceptLanguage = Annotated[
    str | None, Header(description="Languages that the reader understands, such as `pl, en;q=0.5`.", examples=["pl"])
]


@router.get("")
async def list_kpis(session: Session, who: Reader, query: Annotated[schemas.KpiFilters, Query()]) -> schemas.KpiPage:
    """List the KPIs, by key.

    Archived ones are listed only with `state=archived`.
    """
    return await service.list_kpis(session, who.org_id, query)


@router.post(
    "", status_code=201, responses=problems(service.KpiKeyTaken, service.KpiDefinitionInvalid, service.KpiOwnerUnknown)
)
async def define_kpi(session: Session, who: Writer, new: schemas.KpiCreate, response: Response) -> schemas.Kpi:
    """Define a KPI.

    The formula and the filters are parsed and their units checked before anything is stored. The first version holds
    for all time: results of months before the KPI was made exist.
    """
    made = await service.define_kpi(session, who, new)
    etags.tag(response, made.version)
    response.headers["Location"] = f"/v1/kpis/{made.key}"
    return made


@router.post("/validate")
@read_only
async def validate_kpi(session: Session, who: Reader, draft: schemas.KpiValidate) -> schemas.KpiValidation:
    """Look at a definition without storing it.

    Tells everything that is wrong with the place in the text, or the unit that the formula gives, whether parts add
    up, and how many recent events lack a property that a filter looks at: a comparison with a missing property is
    false.
    """
    return await service.validate_definition(session, who.org_id, draft)


@router.post("/complete")
@read_only
async def complete_expression(session: Session, who: Reader, asked: KpiComplete) -> Completions:
    """Tell what can stand at a position.

    For editors of filters and formulas: names, functions, operators, properties and values that were seen in the
    organization's newest 10,000 events, measures and other KPIs. The text may be unfinished or broken.
    """
    return await complete(session, who, asked)


@router.get("/{key}", responses=problems(service.KpiNotFound))
async def get_kpi(session: Session, who: Reader, key: KpiKey, response: Response) -> schemas.Kpi:
    """Read a KPI with its latest version."""
    found = await service.get_kpi(session, who.org_id, key)
    etags.tag(response, found.version)
    return found


@router.patch("/{key}", responses=problems(service.KpiNotFound, service.KpiOwnerUnknown, PreconditionFailed))
async def update_kpi(
    session: Session,
    who: Writer,
    *,
    key: KpiKey,
    change: schemas.KpiUpdate,
    response: Response,
    if_match: etags.IfMatch = None,
) -> schemas.Kpi:
    """Change what a KPI is called and how it is shown.

    Measures, formula, unit and direction change only by a new version (`POST /v1/kpis/{key}/versions`), so that every
    figure can name the definition it was computed with.
    """
    changed = await service.update_kpi(session, who, key, change, if_match)
    etags.tag(response, changed.version)
    return changed


@router.delete("/{key}", status_code=204, responses=problems(service.KpiNotFound, PreconditionFailed))
async def archive_kpi(session: Session, who: Writer, key: KpiKey, if_match: etags.IfMatch = None) -> None:
    """Archive a KPI.

    Its key stays taken, and goals, reviews and results that use it go on; give it back with `PATCH` and a state.
    """
    await service.archive_kpi(session, who, key, if_match)


@router.get("/{key}/sentence", responses=problems(service.KpiNotFound))
async def explain_kpi(
    session: Session,
    who: Reader,
    key: KpiKey,
    query: Annotated[schemas.SentenceQuery, Query()],
    accept_language: AcceptLanguage = None,
) -> schemas.KpiSentence:
    """Explain a KPI in a sentence.

    Measures, filters and formula of the latest version, in words.
    """
    return await service.explain_kpi(session, who.org_id, key, query.language or preferred(accept_language))


@router.get("/{key}/versions", responses=problems(service.KpiNotFound))
async def list_kpi_versions(
    session: Session, who: Reader, key: KpiKey, query: Annotated[PageQuery, Query()]
) -> schemas.KpiVersionPage:
    """List a KPI's versions, the newest first."""
    return await service.list_versions(session, who.org_id, key, query)


@router.post(
    "/{key}/versions",
    status_code=201,
    responses=problems(service.KpiNotFound, service.KpiArchived, service.KpiDefinitionInvalid, PreconditionFailed),
)
async def create_kpi_version(
    session: Session, who: Writer, key: KpiKey, new: schemas.KpiVersionCreate, if_match: etags.IfMatch = None
) -> schemas.KpiVersion:
    """Give a KPI a new definition.

    It holds from `valid_from` on (absent: today, in the organization's zone); null restates all days. On a day for
    which several versions are valid the highest number counts. `If-Match` takes the KPI's ETag.
    """
    return await service.add_version(session, who, key, new, if_match)
