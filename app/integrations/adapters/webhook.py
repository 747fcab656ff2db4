"""Systems of one's own: CloudEvents, Standard Webhooks and any signed JSON, read by rules.

A message tells one fact; whoever tells the fact again under the same id corrects it, field by field, or takes it back.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import unquote_to_bytes

from app.events.facts import EventFacts
from app.integrations.adapters import proofs, signatures, wire
from app.integrations.adapters.base import Adapter, Changes, Item, Json, NotAuthentic, RawRequest, Reply, Unparseable
from app.integrations.adapters.personal import is_personal
from app.integrations.adapters.webhook_facts import Fact, Message, at_path, event_of, type_of
from app.integrations.folding import Network, Record
from app.integrations.mapping import Mapping
from app.integrations.rules import RECOMMENDED

_BATCH, _STRUCTURED = "application/cloudevents-batch", "application/cloudevents"
_MOST_ITEMS, _MOST_KEYS, _DEEPEST = 1000, 200, 8


class Webhook(Adapter):
    """The adapter of systems that are described by rules."""

    system = "webhook"
    has_accounts = False
    headers = ("webhook-id", "webhook-timestamp", "svix-id", "svix-timestamp", "x-github-delivery", "x-github-event",
               "ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time", "ce-subject")  # fmt: skip

    def account(self, configured: str) -> str:
        """There are no accounts: whoever has the secret is the source."""
        return ""

    def handshake(self, request: RawRequest, secrets: Sequence[str]) -> Reply | None:
        """CloudEvents' consent to deliveries, which still have to be proved."""
        origin = request.headers.get("webhook-request-origin")
        if request.method != "OPTIONS" or not origin or not origin.isprintable() or not origin.isascii():
            return None
        return Reply(
            200, headers=(("WebHook-Allowed-Origin", origin), ("WebHook-Allowed-Rate", "*"), ("Allow", "POST"))
        )

    def authenticate(self, request: RawRequest, secrets: Sequence[str], now: datetime, mapping: Mapping) -> None:
        """By the scheme of the mapping.

        CloudEvents in binary mode have their attributes in headers, which no signature covers: they are taken
        with a static secret, or where the id that is signed is the event's own.
        """
        header = (mapping.signature_header or "").lower()
        if mapping.scheme == "static":
            proofs.by_static_secret(request, secrets)
            return
        if mapping.scheme == "standard_webhooks":
            signatures.standard_webhooks(request, secrets, now)
        elif mapping.scheme == "stripe":
            signatures.stripe(request, secrets, now, header or "stripe-signature")
        else:
            signatures.hmac_sha256(request, secrets, header or "x-hub-signature-256")
        if _is_binary(request) and request.headers.get("ce-id") != signatures.message_id(request.headers):
            raise NotAuthentic("attributes of the event stand in headers that are not signed")

    def redact(self, request: RawRequest, secrets: Sequence[str], mapping: Mapping) -> Json:
        """The messages, each with its id and time, and of their fields those that are read or not personal."""
        read = frozenset({path for rule in mapping.rules or RECOMMENDED for path in rule.paths()})
        return [_kept(each, read) for each in _envelopes(request, mapping)]

    def fault_of_secret(self, secret: str) -> str | None:
        """Secrets of Standard Webhooks say how they are written."""
        return signatures.fault_of(secret)

    def scrub(self, body: bytes) -> bytes:
        """Without tokens that some systems send in their bodies."""
        return proofs.without_secrets(body)

    def split(self, redacted: Json) -> list[Item]:
        """One item for each message."""
        return [_item(each) for each in redacted] if isinstance(redacted, list) else []

    def fold(self, item: Item, mapping: Mapping) -> Changes:
        """The fact that the first rule which fits makes of it."""
        message = Message(item.payload, mapping)
        for rule in mapping.rules or RECOMMENDED:
            if message.fits(rule):
                return Changes(Fact(message, rule).changes())
        return Changes()

    def translate(self, record: Record, links: Network, mapping: Mapping, source_key: str) -> list[EventFacts]:
        """The event that a fact is."""
        return [] if record.is_gone else event_of(record, mapping, source_key)


def _is_binary(request: RawRequest) -> bool:
    return "ce-specversion" in request.headers and not _media_type(request).startswith(_STRUCTURED)


def _media_type(request: RawRequest) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _envelopes(request: RawRequest, mapping: Mapping) -> list[Json]:
    """The messages of a body, in the form of structured CloudEvents where they are some."""
    if _is_binary(request):
        attributes = {name[3:]: _percent_decoded(value) for name, value in request.headers.items() if name[:3] == "ce-"}
        return [_cloud_event({**attributes, "data": wire.parse(request.body)})]
    body = wire.parse(request.body)
    media_type = _media_type(request)
    if media_type.startswith(_BATCH) or (isinstance(body, list) and not media_type.startswith(_STRUCTURED)):
        if not isinstance(body, list):
            raise Unparseable("a batch is an array of events")
        return [_of_batch(each) for each in _limited(body)]
    if not isinstance(body, dict):
        raise Unparseable("the body is no object")
    if "specversion" in body or media_type.startswith(_STRUCTURED):
        return [_of_batch(body)]
    if mapping.items and isinstance(listed := at_path(body, mapping.items), list):
        told = {**body, **_beside(request)}
        return [{**told, "@item": each, "@n": n} for n, each in enumerate(_limited(listed))]
    return [{**body, **_beside(request)}]


def _limited(listed: list[Json]) -> list[Json]:
    if len(listed) > _MOST_ITEMS:
        raise Unparseable(f"more than {_MOST_ITEMS} events in one call")
    return listed


def _of_batch(event: Json) -> Json:
    if isinstance(event, dict) and "specversion" in event:
        try:
            return _cloud_event(event)
        except Unparseable as problem:
            return {"@problem": str(problem)}
    return event


def _cloud_event(event: dict[str, Json]) -> dict[str, Json]:
    """With its attributes checked, and data that came in Base64 opened."""
    told: dict[str, Json] = {name: value for name, value in event.items() if value is not None}
    for name in ("id", "source", "type"):
        if not isinstance(told.get(name), str) or not told[name]:
            raise Unparseable(f"the CloudEvent has no {name}")
    if told.get("specversion") != "1.0":
        raise Unparseable("specversion is not 1.0")
    encoded = told.pop("data_base64", None)
    if isinstance(encoded, str):
        if "data" in told:
            raise Unparseable("the CloudEvent has both data and data_base64")
        try:
            told["data"] = wire.parse(base64.b64decode(encoded, validate=True))
        except (binascii.Error, ValueError):
            raise Unparseable("data_base64 is not Base64") from None
    return {**told, "@id": f"{told['source']}#{told['id']}", "@time": told.get("time")}


def _percent_decoded(value: str) -> str:
    """Once, as the binding says. Raises `Unparseable`."""
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        raise Unparseable("a header is no UTF-8") from None


def _beside(request: RawRequest) -> dict[str, Json]:
    """The id of a message, and when this try of it was sent, as far as headers tell."""
    headers = request.headers
    id_ = signatures.message_id(headers) or headers.get("x-github-delivery")
    sent = headers.get("webhook-timestamp") or headers.get("svix-timestamp")
    return {"@id": id_ and wire.storable(id_), "@sent": sent and wire.storable(sent)}


def _kept(told: Json, read: frozenset[str], path: str = "", depth: int = 0) -> Json:
    if isinstance(told, dict) and depth < _DEEPEST:
        # A name is cut before it stands in paths: else a long one would be copied for all that is in it.
        inside = [(wire.storable(key), value) for key, value in list(told.items())[:_MOST_KEYS]]
        return {
            key: _kept(value, read, f"{path}.{key}" if path else key, depth + 1)
            for key, value in inside
            if isinstance(value, dict | list) or _may_be_kept(key, value, f"{path}.{key}" if path else key, read)
        }
    if isinstance(told, list) and depth < _DEEPEST:
        return [_kept(each, read, f"{path}.{n}", depth + 1) for n, each in enumerate(told[:_MOST_ITEMS])]
    return wire.scalar(told)


def _may_be_kept(key: str, value: Json, path: str, read: frozenset[str]) -> bool:
    relative = path.removeprefix("@item.").split(".", 1)[-1] if path[:1].isdigit() else path
    return path in read or relative in read or key.startswith("@") or not is_personal(key, value)


def _item(payload: Json) -> Item:
    if not isinstance(payload, dict):
        return Item("", "", "", {}, "the event is no object")
    if isinstance(problem := payload.get("@problem"), str):
        return Item("", "", "", {}, problem)
    type_ = type_of(payload)
    digest = hashlib.sha256(repr(sorted(payload.items(), key=lambda each: each[0])).encode("utf-8", "replace"))
    key = payload.get("@id") or digest.hexdigest()[:32]
    return Item("", type_[:100], f"webhook:{key}:{payload.get('@n', '')}:{type_}"[:300], payload)
