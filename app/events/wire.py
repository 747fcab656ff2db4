"""From what is posted to facts: each item on its own, so that a bad one does not keep the others back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from app.core.problems import ErrorItem
from app.events import schemas
from app.events.facts import Credit, EventFacts, PersonRef, pointer_part, retraction
from app.events.plain import Unclear, read_plain

API = "api"

_EVENT = TypeAdapter(schemas.EventPost)
_CLOUD_EVENT = TypeAdapter(schemas.CloudEvent)

# Where the fields of an event stand in a CloudEvent; all others are in its `data`.
_ENVELOPE = {"external_id": "id", "version": "pacelineversion", "type": "type"}


@dataclass(slots=True)
class Told:
    """An item that could be read. `source` is the key of its source, or for a CloudEvent a URI."""

    facts: EventFacts
    source: str
    is_cloud_event: bool = False

    def pointer(self, field: str) -> str:
        """Where a field of the event stands in what was posted."""
        return cloud_pointer(field) if self.is_cloud_event else field


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An item that could not be read, with everything that is wrong in it."""

    external_id: str | None
    errors: Sequence[ErrorItem]


def read_event(item: Any) -> Told | Unreadable:  # Any: JSON of whatever shape
    """An event as it is posted in Paceline's own form.

    What is plainly right is read at once; of all else the model tells what it is, or what is wrong with it.
    """
    try:
        facts, source = read_plain(item)
    except Unclear:
        return _read_by_model(item)
    return Told(facts, source or API)


def _read_by_model(item: Any) -> Told | Unreadable:  # Any: JSON of whatever shape
    try:
        post = _EVENT.validate_python(item)
    except ValidationError as error:
        return Unreadable(_id_in(item, "external_id"), _errors(error))
    if missing := _missing(post):
        return Unreadable(post.external_id, missing)
    return Told(_facts(post), post.source or API)


def read_cloud_event(item: Any) -> Told | Unreadable:  # Any: JSON of whatever shape
    """A CloudEvent 1.0: the envelope tells which fact it is, `data` has the rest."""
    try:
        envelope = _CLOUD_EVENT.validate_python(item)
    except ValidationError as error:
        return Unreadable(_id_in(item, "id"), _errors(error))
    data = envelope.data or {}
    if wrong := _wrong_in_envelope(envelope, data):
        return Unreadable(envelope.id, wrong)
    event = {"occurred_at": envelope.time, **data, "external_id": envelope.id, "type": envelope.type}
    read = read_event(event | {"version": envelope.pacelineversion or 0})
    if isinstance(read, Unreadable):
        moved = [error.model_copy(update={"pointer": cloud_pointer(error.pointer)}) for error in read.errors]
        return Unreadable(envelope.id, [_at_time(error, data) for error in moved])
    return Told(read.facts, envelope.source, is_cloud_event=True)


def cloud_pointer(field: str) -> str:
    """Where a field of an event stands in a CloudEvent."""
    name = field.removeprefix("/").partition("/")[0]
    return f"/{_ENVELOPE[name]}" if name in _ENVELOPE else f"/data{field}"


def _at_time(error: ErrorItem, data: dict[str, Any]) -> ErrorItem:
    is_time = error.pointer == "/data/occurred_at" and "occurred_at" not in data
    return error.model_copy(update={"pointer": "/time"}) if is_time else error


def _wrong_in_envelope(envelope: schemas.CloudEvent, data: dict[str, Any]) -> list[ErrorItem]:
    wrong = [
        ErrorItem(pointer=f"/data/{name}", message="stands in the envelope, not in data", code="in_envelope")
        for name in ("external_id", "version", "type", "source")
        if name in data
    ]
    media_type = (envelope.datacontenttype or "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        wrong.append(ErrorItem(pointer="/datacontenttype", message="must be JSON", code="data_not_json"))
    if "data_base64" in (envelope.model_extra or {}):
        wrong.append(ErrorItem(pointer="/data_base64", message="must be sent as JSON in data", code="data_not_json"))
    return wrong


def _missing(post: schemas.EventPost) -> list[ErrorItem]:
    if post.retracted:
        return []
    needed = {"/type": post.type, "/occurred_at": post.occurred_at}
    return [
        ErrorItem(pointer=field, message="Field required, unless the event is retracted", code="missing")
        for field, value in needed.items()
        if value is None
    ]


def _facts(post: schemas.EventPost) -> EventFacts:
    if post.retracted or post.type is None or post.occurred_at is None:
        return retraction(post.external_id, post.version)
    return EventFacts(
        external_id=post.external_id,
        version=post.version,
        type=post.type,
        occurred_at=post.occurred_at,
        occurred_on=post.occurred_on,
        actor=_person(post.actor) if post.actor else None,
        credits=tuple(Credit(credit.role, _person(credit.actor), credit.share) for credit in post.credits),
        about=post.about,
        amount=post.amount.value if post.amount else None,
        currency=post.amount.currency if post.amount else None,
        quantity=post.quantity,
        duration_seconds=post.duration_seconds,
        properties={key: value for key, value in post.properties.items() if value is not None},
    )


def _person(post: schemas.PersonPost) -> PersonRef:
    return PersonRef(post.id, post.email, post.name)


def _id_in(item: Any, name: str) -> str | None:  # Any: JSON of whatever shape
    value = item.get(name) if isinstance(item, dict) else None
    return value[:200] if isinstance(value, str) else None


def _place(path: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Without pydantic's word for a key that is wrong itself; a property may really be called so."""
    is_word = len(path) == 3 and path[0] in {"about", "properties"} and path[-1] == "[key]"
    return path[:-1] if is_word else path


def _errors(error: ValidationError) -> list[ErrorItem]:
    return [
        ErrorItem(
            pointer="".join(f"/{pointer_part(str(part)[:100])}" for part in _place(entry["loc"])),
            message=entry["msg"].removeprefix("Value error, ")[:500],
            code=entry["type"],
        )
        for entry in error.errors(include_url=False, include_context=False, include_input=False)[:20]
    ]
