"""Use cases of the rates themselves: posted one by one, in batches or as CSV; searched, and taken back."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import audit, clock, etags
from app.core.db import OrganizationId
from app.core.pagination import Key, paginate
from app.core.problems import Conflict, ErrorItem, NotFound, ValidationFailed, constraint_problem
from app.rates import queries, schemas, sheets
from app.rates.conversion import quoted
from app.rates.models import ExchangeRateRow, RateSetRow
from app.rates.standing import Entry, RateKey, Standing

MAX_ERRORS = 50

_RATE = TypeAdapter(schemas.ExchangeRateCreate)


class ExchangeRateNotFound(NotFound):
    """There is no such exchange rate in this organization."""

    code, title = "exchange-rate-not-found", "Exchange rate not found"


class ExchangeRatesOverlap(Conflict):
    """On a day a pair has one rate of a fixed set: end the earlier one first, or choose other days."""

    code, title = "exchange-rates-overlap", "Exchange rates overlap"


constraint_problem("ex_exchange_rate_overlap", ExchangeRatesOverlap)


async def record_rate(
    session: AsyncSession, who: Principal, told: schemas.ExchangeRateCreate
) -> schemas.ExchangeRateRecorded:
    """Record one rate. Raises `ValidationFailed` for a set that is not there, `ExchangeRatesOverlap`."""
    book = Standing(who.org_id, await clock.tick(session, who.org_id))
    sets = await _sets(session, who.org_id, [told])
    if told.rate_set not in sets:
        raise ValidationFailed.at("/set", _no_set(told.rate_set), "rate_set_unknown")
    entry = Entry(told, sets[told.rate_set])
    await book.load(session, [entry])
    if (other := book.clash(entry)) is not None:
        raise ExchangeRatesOverlap(_overlap(other))
    outcome, row = book.take(entry)
    await book.write(session)
    if outcome != "unchanged":
        changes = told.model_dump(mode="json", by_alias=True)
        action = "create" if outcome == "created" else "correct"
        audit.record(session, who.org_id, who.label, action, "exchange-rate", row.id, changes)
    return schemas.ExchangeRateRecorded(**_columns(row, told.rate_set), outcome=outcome)


async def record_batch(
    session: AsyncSession,
    who: Principal,
    items: Sequence[Any],  # Any: JSON of whatever shape
) -> schemas.ExchangeRateBatchOutcome:
    """Record many rates in their order; each has its own outcome, and a bad one never keeps the others back."""
    read = [_read(item) for item in items]
    good = [told for told in read if isinstance(told, schemas.ExchangeRateCreate)]
    book = Standing(who.org_id, await clock.tick(session, who.org_id))
    sets = await _sets(session, who.org_id, good)
    await book.load(session, [Entry(told, sets[told.rate_set]) for told in good if told.rate_set in sets])
    seen: dict[RateKey, int] = {}
    outcomes: list[schemas.ExchangeRateOutcome] = []
    for place, told in enumerate(read):
        fault = told if isinstance(told, ErrorItem) else _fault(told, sets, book, seen, place)
        if isinstance(fault, ErrorItem):
            outcomes.append(
                schemas.ExchangeRateOutcome(outcome="rejected", id=None, field=fault.pointer, reason=fault.message)
            )
            continue
        outcome, row = book.take(fault)
        outcomes.append(schemas.ExchangeRateOutcome(outcome=outcome, id=row.id))
    await book.write(session)
    counts: dict[schemas.Outcome, int] = dict(Counter(each.outcome for each in outcomes))
    _note(session, who, book, counts)
    return schemas.ExchangeRateBatchOutcome(items=outcomes, counts=counts)


def _fault(
    told: schemas.ExchangeRateCreate,
    sets: Mapping[str, RateSetRow],
    book: Standing,
    seen: dict[RateKey, int],
    place: int,
) -> ErrorItem | Entry:
    """Why an item of a batch cannot be taken, else what is to be recorded."""
    if told.rate_set not in sets:
        return ErrorItem(pointer="/set", message=_no_set(told.rate_set), code="rate_set_unknown")
    entry = Entry(told, sets[told.rate_set])
    if (first := seen.setdefault(entry.key, place)) != place:
        return ErrorItem(pointer="/valid_from", message=f"item {first} has this set, pair and day", code="duplicate")
    if (other := book.clash(entry)) is not None:
        return ErrorItem(pointer="/valid_from", message=_overlap(other), code=ExchangeRatesOverlap.code)
    return entry


async def record_sheet(session: AsyncSession, who: Principal, content: bytes) -> schemas.ExchangeRateUpload:
    """Record the rates of a CSV, all of them or none. Raises `ValidationFailed` with every wrong line."""
    try:
        lines = sheets.read_sheet(content)
    except sheets.SheetError as error:
        raise _wrong([_at(error.line, error.column, error.message)]) from None
    read = [(line.number, _read(dict(line.cells))) for line in lines]
    _check([_at(number, told.pointer, told.message) for number, told in read if isinstance(told, ErrorItem)])
    rates = [(number, told) for number, told in read if isinstance(told, schemas.ExchangeRateCreate)]
    book = Standing(who.org_id, await clock.tick(session, who.org_id))
    sets = await _sets(session, who.org_id, [told for _, told in rates])
    _check([_at(n, "/set", _no_set(told.rate_set)) for n, told in rates if told.rate_set not in sets])
    entries = [(number, Entry(told, sets[told.rate_set])) for number, told in rates]
    _check(_duplicates(entries))
    await book.load(session, [entry for _, entry in entries])
    counts: dict[schemas.Outcome, int] = dict(Counter(book.take(entry)[0] for _, entry in entries))
    # Only now: of a whole file the end counts, in whatever order its lines end one rate and begin the next.
    clashes = [(number, book.clash(entry)) for number, entry in entries]
    _check([_at(number, "/valid_from", _overlap(other)) for number, other in clashes if other is not None])
    await book.write(session)
    _note(session, who, book, counts)
    return schemas.ExchangeRateUpload(counts=counts)


def _duplicates(entries: Iterable[tuple[int, Entry]]) -> list[ErrorItem]:
    seen: dict[RateKey, int] = {}
    return [
        _at(number, "/valid_from", f"line {first} has this set, pair and day already")
        for number, entry in entries
        if (first := seen.setdefault(entry.key, number)) != number
    ]


def _check(errors: Sequence[ErrorItem]) -> None:
    if errors:
        raise _wrong(errors)


def _wrong(errors: Sequence[ErrorItem]) -> ValidationFailed:
    more = f" And {len(errors) - 1} more. Nothing was stored." if len(errors) > 1 else " Nothing was stored."
    return ValidationFailed(f"{errors[0].message}.{more}", errors[:MAX_ERRORS])


def _at(line: int, column: str, message: str) -> ErrorItem:
    place = f"/{column.removeprefix('/')}" if column else ""
    name = f" {place[1:]}" if place else ""
    return ErrorItem(pointer=f"/lines/{line}{place}", message=f"Line {line}{name}: {message}", code="csv_invalid")


async def list_rates(
    session: AsyncSession, org_id: OrganizationId, query: schemas.ExchangeRatesQuery
) -> schemas.ExchangeRatePage:
    """The rates that a query asks for, by set, pair and first day."""
    rows, following = await paginate(session, queries.filtered(org_id, query), _order(), query)
    items = [schemas.ExchangeRate(**_columns(row, key)) for row, key in rows]
    return schemas.ExchangeRatePage(items=items, next_cursor=following)


async def export_rates(session: AsyncSession, org_id: OrganizationId, query: schemas.ExchangeRatesQuery) -> str:
    """All of them as CSV, as it can be posted again."""
    wanted = queries.filtered(org_id, query).order_by(*[key.column for key in _order()])
    rows = (await session.execute(wanted)).all()
    return sheets.write_sheet(
        (key, row.base, row.quote, row.valid_from, row.valid_to, format(row.rate.normalize(), "f")) for row, key in rows
    )


async def get_rate(session: AsyncSession, org_id: OrganizationId, rate_id: UUID) -> schemas.ExchangeRate:
    """One rate as it stands. Raises `ExchangeRateNotFound`."""
    row, key = await _found(session, org_id, rate_id)
    return schemas.ExchangeRate(**_columns(row, key))


async def retract_rate(session: AsyncSession, who: Principal, rate_id: UUID, if_match: str | None) -> None:
    """Take a rate back; answers as of earlier instants keep it."""
    at = await clock.tick(session, who.org_id)
    row, _ = await _found(session, who.org_id, rate_id)
    etags.check(if_match, row.version)
    row.superseded_at = at
    audit.record(session, who.org_id, who.label, "delete", "exchange-rate", rate_id)


def _order() -> list[Key]:
    row = ExchangeRateRow
    return [Key(RateSetRow.key), Key(row.base), Key(row.quote), Key(row.valid_from), Key(row.id)]


async def _found(session: AsyncSession, org_id: OrganizationId, rate_id: UUID) -> tuple[ExchangeRateRow, str]:
    wanted = queries.current_rates(org_id).where(ExchangeRateRow.id == rate_id)
    if (found := (await session.execute(wanted)).one_or_none()) is None:
        raise ExchangeRateNotFound(f"No exchange rate {rate_id}.")
    return found[0], found[1]


async def _sets(
    session: AsyncSession, org_id: OrganizationId, told: Iterable[schemas.ExchangeRateCreate]
) -> dict[str, RateSetRow]:
    keys = sorted({each.rate_set for each in told})
    rows = (await session.execute(queries.current_sets(org_id).where(RateSetRow.key.in_(keys)))).scalars()
    return {row.key: row for row in rows}


def _read(item: Any) -> schemas.ExchangeRateCreate | ErrorItem:  # Any: JSON of whatever shape
    try:
        return _RATE.validate_python(item)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        pointer = "".join(f"/{str(part)[:100]}" for part in first["loc"])
        return ErrorItem(pointer=pointer, message=first["msg"].removeprefix("Value error, "), code=first["type"])


def _columns(row: ExchangeRateRow, key: str) -> dict[str, Any]:
    names = ("id", "base", "quote", "valid_from", "valid_to", "rate", "version", "created_at", "recorded_at")
    return {"rate_set": key, **{name: getattr(row, name) for name in names}}


def _note(session: AsyncSession, who: Principal, book: Standing, counts: Mapping[schemas.Outcome, int]) -> None:
    """Tell the audit trail of many rates by their sets and numbers."""
    for rate_set_id in sorted({row.rate_set_id for row in book.inserted}):
        audit.record(session, who.org_id, who.label, "record-rates", "rate-set", rate_set_id, {"counts": dict(counts)})


def _no_set(key: str) -> str:
    return f"There is no set {key!r}: make it by POST /v1/exchange-rates/sets"


def _overlap(other: ExchangeRateRow) -> str:
    until = "on all days after" if other.valid_to is None else f"until before {other.valid_to}"
    return (
        f"{quoted(other.base, other.quote, other.rate)} holds from {other.valid_from} {until}: "
        "post it again with an earlier valid_to, or choose other days"
    )
