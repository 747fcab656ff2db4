"""Rows that are records of a connected CRM, folded as if they had been fetched from it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.db import OrganizationId
from app.events.sources import Source
from app.imports.kinds.base import REJECTED, Row, Task, Verdict, Wrong
from app.integrations.adapters.base import Fetched, Json, Unparseable
from app.integrations.adapters.dynamics365 import TABLES
from app.integrations.translation import Connected, connected

_OWN = frozenset({"object", "id", "updated_at"})
Fields = dict[str, Json]


class Records:
    """The rows of a step become deliveries, one for each kind of object: they are translated like all others."""

    batch = 1_000

    async def take(self, session: AsyncSession, task: Task, rows: Sequence[Row]) -> list[Verdict]:
        """See `Taker`."""
        from app.integrations.fetching import store_fetched  # brings the clients of all systems with it

        source = await connected(session, task.who.org_id, _source(task))
        verdicts, items = _read(source, rows)
        at = await clock.now(session, task.who.org_id)
        for kind, each in items.items():
            await store_fetched(session, source.org_id, source.id, _fetched(source, kind, each, at), "backfill")
        return verdicts

    async def foretell(self, session: AsyncSession, task: Task, rows: Sequence[Row]) -> list[Verdict]:
        """See `Taker`."""
        return _read(await connected(session, task.who.org_id, _source(task)), rows)[0]


async def cannot_import(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> str | None:
    """Why no records of this source can be imported, as a sentence; None where they can."""
    found = await session.execute(select(Source.system).where(Source.org_id == org_id, Source.id == source_id))
    system = found.scalar_one()
    if system in _SHAPES:
        return None
    known = ", ".join(sorted(_SHAPES))
    return f"Sources of the system {system} have no records to import; those of {known} have."


def _source(task: Task) -> UUID:
    assert task.source_id is not None, "imports of records have a source"  # noqa: S101
    return task.source_id


def _read(source: Connected, rows: Sequence[Row]) -> tuple[list[Verdict], dict[str, list[Fields]]]:
    """What becomes of each row, and the items of those that are taken, by kind of object."""
    verdicts: list[Verdict] = []
    items: dict[str, list[Fields]] = {}
    for row in rows:
        wrong = [Wrong(name, "must not be empty") for name in sorted(_OWN) if name not in row.values]
        if not wrong:
            item = _item(source, row)
            wrong = _wrong(source, row.values["object"], item)
        if wrong:
            verdicts.append(Verdict(REJECTED, wrong))
            continue
        items.setdefault(row.values["object"], []).append(item)
        verdicts.append(Verdict("accepted"))
    return verdicts, items


def _wrong(source: Connected, kind: str, item: Fields) -> list[Wrong]:
    """What the adapter would say of it."""
    try:
        body = _redacted(source, kind, [item], datetime.now(UTC))
    except Unparseable as problem:
        return [Wrong("object", f"{kind[:60]!r}: {problem}")]
    told = source.adapter.split(body)
    for each in told:
        if each.problem is not None:
            return [Wrong(None, each.problem)]
        try:
            changes = source.adapter.fold(each, source.mapping)
        except Unparseable as problem:
            return [Wrong(None, str(problem))]
        if changes.fields or changes.links:
            return []
    return [Wrong("object", f"nothing is read of objects {kind[:60]!r}: write one that the source's guide names")]


def _redacted(source: Connected, kind: str, items: Sequence[Fields], at: datetime) -> Json:
    return source.adapter.redact_fetched(_fetched(source, kind, items, at), source.mapping)


def _fetched(source: Connected, kind: str, items: Sequence[Fields], at: datetime) -> Fetched:
    return Fetched(source.account_id, kind, items, (), at)


def _item(source: Connected, row: Row) -> Fields:
    """The object as the system's API would give it."""
    fields: Fields = {}
    for name, value in row.values.items():
        if name not in _OWN:
            _put(fields, name.split("."), value)
    updated = datetime.fromisoformat(row.values["updated_at"])
    return _SHAPES[source.adapter.system](row.values["object"], row.values["id"], updated, fields)


def _put(fields: Fields, path: Sequence[str], value: str) -> None:
    """A column such as `Owner.id` is a field of a field; where that has a value itself, it keeps its whole name."""
    for place, part in enumerate(path[:-1]):
        inner = fields.setdefault(part, {})
        if not isinstance(inner, dict):
            fields[".".join(path[place:])] = value
            return
        fields = inner
    fields[path[-1]] = value


Shape = Callable[[str, str, datetime, Fields], Fields]


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _hubspot(_: str, id_: str, at: datetime, fields: Fields) -> Fields:
    """With its associations from columns such as `associations.companies`, several ids parted by semicolons."""
    told = fields.pop("associations", {})
    linked: Json = {
        other: [{"id": each.strip()} for each in str(ids).split(";") if each.strip()]
        for other, ids in (told.items() if isinstance(told, dict) else ())
    }
    made = {"createdAt": fields["createdate"]} if "createdate" in fields else {}
    return {"id": id_, "updatedAt": _text(at), "properties": fields, "associations": linked, **made}


def _pipedrive(_: str, id_: str, at: datetime, fields: Fields) -> Fields:
    return {**fields, "id": int(id_) if id_.isdigit() else id_, "update_time": _text(at)}


def _salesforce(_: str, id_: str, at: datetime, fields: Fields) -> Fields:
    return {**fields, "Id": id_, "SystemModstamp": _text(at)}


def _zoho(_: str, id_: str, at: datetime, fields: Fields) -> Fields:
    return {**fields, "id": id_, "Modified_Time": at.isoformat()}


def _fxiaoke(_: str, id_: str, at: datetime, fields: Fields) -> Fields:
    return {**fields, "_id": id_, "last_modified_time": Decimal(at.timestamp()) // 1 * 1000 + at.microsecond // 1000}


def _dynamics(kind: str, id_: str, at: datetime, fields: Fields) -> Fields:
    return {**fields, f"{TABLES.get(kind, kind)}id": id_, "activityid": id_, "modifiedon": _text(at)}


_SHAPES: Mapping[str, Shape] = {
    "hubspot": _hubspot,
    "pipedrive": _pipedrive,
    "salesforce": _salesforce,
    "zoho": _zoho,
    "fxiaoke": _fxiaoke,
    "dynamics365": _dynamics,
}
