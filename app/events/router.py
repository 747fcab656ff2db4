"""Paths of the ledger."""

from json import JSONDecodeError
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from app.accounts.access import Principal, Session, requires
from app.accounts.permissions import Permission
from app.core import etags
from app.core.pagination import PageQuery
from app.core.problems import BodyTooLarge, MalformedJson, UnsupportedMediaType, ValidationFailed, problems
from app.core.routing import TransactionalRoute
from app.events import archives_router, identities_router, posting, properties, reading, schemas
from app.events.models import EventTypeTaken
from app.events.property_schemas import EventPropertyPage, PropertiesQuery, PropertyValuePage
from app.events.wire import read_cloud_event, read_event

router = APIRouter()
ledger = APIRouter(route_class=TransactionalRoute, tags=["events"])

Reader = Annotated[Principal, requires(Permission.EVENTS_READ)]
Writer = Annotated[Principal, requires(Permission.EVENTS_WRITE)]
SourcesReader = Annotated[Principal, requires(Permission.SOURCES_READ)]
SourcesWriter = Annotated[Principal, requires(Permission.SOURCES_WRITE)]

EventTypeName = Annotated[schemas.TypeName, Path(description="The event type.", examples=["deal.won"])]
PropertyKey = Annotated[schemas.PropertyKey, Path(description="The property.", examples=["channel"])]

JSON = "application/json"
CLOUD_EVENT = "application/cloudevents+json"
CLOUD_EVENTS = "application/cloudevents-batch+json"

_CLOUD_EVENT = schemas.CloudEvent.model_json_schema()
_BODY: dict[str, Any] = {  # Any: a part of the OpenAPI document
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"$ref": "#/components/schemas/EventPost"}},
            CLOUD_EVENT: {"schema": _CLOUD_EVENT},
            CLOUD_EVENTS: {"schema": {"type": "array", "items": _CLOUD_EVENT}},
        },
    }
}


@ledger.post(
    "/events",
    status_code=201,
    response_model=schemas.EventOutcome,
    openapi_extra=_BODY,
    responses={
        200: {"model": schemas.EventOutcome | schemas.BatchOutcome, "description": "Nothing new, or a batch."},
        **problems(MalformedJson, posting.SourceNotYours, BodyTooLarge, UnsupportedMediaType, ValidationFailed),
    },
)
async def post_event(
    session: Session, who: Writer, request: Request, response: Response
) -> schemas.EventOutcome | Response:
    """Post one event, or CloudEvents.

    201 where it was written (`accepted`, `corrected`, `retracted`), 200 where nothing was: a `duplicate`, an
    `outdated` version, or a `conflict` (the same version with other content: the first stays). A batch of
    CloudEvents is answered as one of events, with 200.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == CLOUD_EVENTS:
        items = _bounded(await _json(request), "", request)
        outcomes = await posting.post_many(session, who, [read_cloud_event(item) for item in items])
        return Response(outcomes.to_json(), media_type=JSON)
    if media_type not in {JSON, CLOUD_EVENT}:
        raise UnsupportedMediaType(f"An event is sent as {JSON}, {CLOUD_EVENT} or {CLOUD_EVENTS}.")
    read = read_cloud_event if media_type == CLOUD_EVENT else read_event
    outcome = await posting.post_one(session, who, read(await _json(request)))
    response.status_code = 201 if outcome.outcome in {"accepted", "corrected", "retracted"} else 200
    return outcome


@ledger.post(
    "/events/batch",
    response_model=schemas.BatchOutcome,
    responses=problems(MalformedJson, BodyTooLarge, ValidationFailed),
)
async def post_event_batch(session: Session, who: Writer, batch: schemas.EventBatch, request: Request) -> Response:
    """Post many events.

    They act in their order, each with its own outcome; an invalid one is `rejected` with the field and the
    reason, and never keeps the others back.
    """
    items = _bounded(batch.events, "/events", request)
    outcomes = await posting.post_many(session, who, [read_event(item) for item in items])
    return Response(outcomes.to_json(), media_type=JSON)


@ledger.get("/events", responses=problems(ValidationFailed))
async def list_events(
    session: Session, who: Reader, query: Annotated[schemas.EventsQuery, Query()]
) -> schemas.EventPage:
    """Search events.

    As they stand now; retracted ones only with `include_retracted`. Keys of the role `member` find of the scores that
    people gave (`score.given`) those about or given by their own member.
    """
    return await reading.list_events(session, who, query)


@ledger.get("/events/{event_id}", responses=problems(reading.EventNotFound))
async def get_event(session: Session, who: Reader, event_id: UUID, response: Response) -> schemas.Event:
    """Read an event as it stands, also when it is retracted."""
    found = await reading.get_event(session, who, event_id)
    etags.tag(response, found.revision)
    return found


@ledger.get("/events/{event_id}/revisions", responses=problems(reading.EventNotFound))
async def list_event_revisions(
    session: Session, who: Reader, event_id: UUID, query: Annotated[PageQuery, Query()]
) -> schemas.EventPage:
    """Read all revisions of an event, with when each was recorded and superseded."""
    return await reading.list_revisions(session, who, event_id, query)


@ledger.get("/event-types")
async def list_event_types(
    session: Session, who: Reader, query: Annotated[PageQuery, Query()]
) -> schemas.EventTypePage:
    """List event types.

    The built-in catalogue, the organization's own, and every type that was ever seen, with its number of events.
    """
    return await reading.list_event_types(session, who.org_id, query)


@ledger.post("/event-types", status_code=201, responses=problems(EventTypeTaken))
async def create_event_type(session: Session, who: Writer, new: schemas.EventTypeCreate) -> schemas.EventType:
    """Add an event type to the catalogue.

    Events of any well-formed type are taken; the catalogue tells people what a type says.
    """
    return await reading.add_event_type(session, who, new)


@ledger.get("/event-types/{event_type}/properties", responses=problems(properties.EventTypeNotFound))
async def list_event_properties(
    session: Session, who: Reader, event_type: EventTypeName, query: Annotated[PropertiesQuery, Query()]
) -> EventPropertyPage:
    """List the properties of an event type.

    Those that the newest 10,000 events of the type have, the most frequent first: for menus of filters.
    """
    return await properties.list_properties(session, who, event_type, query)


# A key may hold a slash, hence `:path`.
@ledger.get(
    "/event-types/{event_type}/properties/{property_key:path}/values",
    responses=problems(properties.EventTypeNotFound, properties.PropertyNotFound),
)
async def list_event_property_values(
    session: Session,
    who: Reader,
    event_type: EventTypeName,
    property_key: PropertyKey,
    query: Annotated[PropertiesQuery, Query()],
) -> PropertyValuePage:
    """List the values of a property.

    Those that the newest 10,000 events of the type have, the most frequent first: for menus of filters.
    """
    return await properties.list_values(session, who, event_type, property_key, query)


@ledger.get("/cloud-event-sources")
async def list_cloud_event_sources(
    session: Session, who: SourcesReader, query: Annotated[PageQuery, Query()]
) -> schemas.CloudEventSourcePage:
    """List the URIs of CloudEvents with their sources."""
    return await reading.list_cloud_event_sources(session, who.org_id, query)


@ledger.put("/cloud-event-sources", responses=problems(ValidationFailed))
async def set_cloud_event_source(
    session: Session, who: SourcesWriter, new: schemas.CloudEventSourceSet
) -> schemas.CloudEventSource:
    """Lead the CloudEvents of a URI to a source.

    CloudEvents whose `source` is not listed are rejected.
    """
    return await reading.set_cloud_event_source(session, who, new)


@ledger.delete("/cloud-event-sources/{entry_id}", status_code=204, responses=problems(reading.CloudEventSourceNotFound))
async def delete_cloud_event_source(session: Session, who: SourcesWriter, entry_id: UUID) -> None:
    """Forget a URI of CloudEvents; the events that came from it stay."""
    await reading.remove_cloud_event_source(session, who, entry_id)


router.include_router(ledger)
router.include_router(archives_router.router)
router.include_router(identities_router.router)


async def _json(request: Request) -> Any:  # Any: JSON of whatever shape
    try:
        return await request.json()
    except JSONDecodeError:
        raise MalformedJson("The body is empty.") from None


def _bounded(items: Any, pointer: str, request: Request) -> list[Any]:  # Any: JSON of whatever shape
    most = request.app.state.settings.max_batch_events
    if not isinstance(items, list):
        raise ValidationFailed.at(pointer, "must be a list of events", "list_type")
    if len(items) > most:
        raise ValidationFailed.at(pointer, f"has {len(items)} events; send at most {most} at once", "too_long")
    return items
