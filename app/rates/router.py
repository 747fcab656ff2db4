"""Paths of exchange rates and their sets."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from app.accounts.access import Principal, Session, requires
from app.accounts.permissions import Permission
from app.core import etags
from app.core.pagination import PageQuery
from app.core.problems import MalformedJson, PreconditionFailed, UnsupportedMediaType, ValidationFailed, problems
from app.core.routing import TransactionalRoute
from app.rates import recording, schemas, service
from app.rates.accepting import prefers

router = APIRouter(prefix="/exchange-rates", route_class=TransactionalRoute, tags=["exchange-rates"])

Reader = Annotated[Principal, requires(Permission.RATES_READ)]
Writer = Annotated[Principal, requires(Permission.RATES_WRITE)]

JSON, CSV = "application/json", "text/csv"
_SHEET = "set,base,quote,valid_from,valid_to,rate\r\ndaily,EUR,USD,2026-07-10,,1.10\r\n"
_CONTENT: dict[str, Any] = {  # Any: a part of the OpenAPI document
    "schema": {"type": "string"},
    "examples": {"example_1": {"value": _SHEET}},
}


@router.get("/sets")
async def list_rate_sets(session: Session, who: Reader, query: Annotated[PageQuery, Query()]) -> schemas.RateSetPage:
    """List the sets of exchange rates, by key."""
    return await service.list_sets(session, who.org_id, query)


@router.post("/sets", status_code=201, responses=problems(service.RateSetKeyTaken))
async def create_rate_set(
    session: Session, who: Writer, new: schemas.RateSetCreate, response: Response
) -> schemas.RateSet:
    """Make a set of exchange rates.

    The set with the key `daily` is the one by which figures are converted unless a query names another.
    """
    row = await service.create_set(session, who, new)
    etags.tag(response, row.version)
    return schemas.RateSet.model_validate(row)


@router.get("/sets/{rate_set_id}", responses=problems(service.RateSetNotFound))
async def get_rate_set(session: Session, who: Reader, rate_set_id: UUID, response: Response) -> schemas.RateSet:
    """Read a set of exchange rates, without its rates."""
    row = await service.get_set(session, who.org_id, rate_set_id)
    etags.tag(response, row.version)
    return schemas.RateSet.model_validate(row)


@router.patch("/sets/{rate_set_id}", responses=problems(service.RateSetNotFound, PreconditionFailed))
async def update_rate_set(
    session: Session,
    who: Writer,
    rate_set_id: UUID,
    change: schemas.RateSetUpdate,
    response: Response,
    *,
    if_match: etags.IfMatch = None,
) -> schemas.RateSet:
    """Change what a set of exchange rates is called.

    Key and kind stay: goals and queries name the key, and the kind decides what the rates mean.
    """
    row = await service.update_set(session, who, rate_set_id, change, if_match)
    etags.tag(response, row.version)
    return schemas.RateSet.model_validate(row)


@router.delete("/sets/{rate_set_id}", status_code=204, responses=problems(service.RateSetNotFound, PreconditionFailed))
async def delete_rate_set(session: Session, who: Writer, rate_set_id: UUID, if_match: etags.IfMatch = None) -> None:
    """Delete a set with all its rates; answers as of an earlier instant keep them."""
    await service.delete_set(session, who, rate_set_id, if_match)


@router.get(
    "",
    response_model=schemas.ExchangeRatePage,
    responses={200: {"content": {CSV: _CONTENT}, "description": "The rates; as CSV all of them, not a page."}},
)
async def list_exchange_rates(
    session: Session,
    who: Reader,
    query: Annotated[schemas.ExchangeRatesQuery, Query()],
    request: Request,
) -> schemas.ExchangeRatePage | Response:
    """List exchange rates, by set, pair and first day.

    With `Accept: text/csv` everything that the filters let pass is answered as CSV, whatever `limit` and `cursor`
    say, in the form in which it can be posted again.
    """
    if prefers(request.headers.get("accept", JSON), CSV, over=JSON):
        return Response(await recording.export_rates(session, who.org_id, query), media_type=CSV)
    return await recording.list_rates(session, who.org_id, query)


@router.post(
    "",
    status_code=201,
    responses={
        200: {"model": schemas.ExchangeRateRecorded, "description": "The rate was there already: nothing changed."},
        **problems(recording.ExchangeRatesOverlap),
    },
)
async def record_exchange_rate(
    session: Session, who: Writer, new: schemas.ExchangeRateCreate, response: Response
) -> schemas.ExchangeRateRecorded:
    """Record an exchange rate.

    One of the same set, pair and first day is corrected by it: figures follow at once, answers as of an earlier
    instant keep the old one. In a fixed set a pair has one rate on a day.
    """
    recorded = await recording.record_rate(session, who, new)
    response.status_code = 200 if recorded.outcome == "unchanged" else 201
    return recorded


@router.post("/batch")
async def record_exchange_rate_batch(
    session: Session, who: Writer, batch: schemas.ExchangeRateBatch
) -> schemas.ExchangeRateBatchOutcome:
    """Record many exchange rates.

    They act in their order, each with its own outcome; an invalid one is `rejected` with the field and the reason, and
    never keeps the others back.
    """
    return await recording.record_batch(session, who, batch.rates)


@router.post(
    "/csv",
    openapi_extra={"requestBody": {"required": True, "content": {CSV: _CONTENT}}},
    responses=problems(MalformedJson, ValidationFailed, recording.ExchangeRatesOverlap),
)
async def record_exchange_rate_sheet(session: Session, who: Writer, request: Request) -> schemas.ExchangeRateUpload:
    """Record the exchange rates of a CSV file.

    All of them or none: every wrong line is told with its number. The first line names the columns `set`, `base`,
    `quote`, `valid_from`, `valid_to` (which may be left out) and `rate`, in any order, between commas, semicolons or
    tabs; at most 10,000 rates in UTF-8.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != CSV:
        raise UnsupportedMediaType(f"A file of rates is sent as {CSV}.")
    return await recording.record_sheet(session, who, await request.body())


@router.get("/{rate_id}", responses=problems(recording.ExchangeRateNotFound))
async def get_exchange_rate(session: Session, who: Reader, rate_id: UUID, response: Response) -> schemas.ExchangeRate:
    """Read an exchange rate."""
    found = await recording.get_rate(session, who.org_id, rate_id)
    etags.tag(response, found.version)
    return found


@router.delete("/{rate_id}", status_code=204, responses=problems(recording.ExchangeRateNotFound, PreconditionFailed))
async def retract_exchange_rate(session: Session, who: Writer, rate_id: UUID, if_match: etags.IfMatch = None) -> None:
    """Take an exchange rate back; answers as of an earlier instant keep it."""
    await recording.retract_rate(session, who, rate_id, if_match)
