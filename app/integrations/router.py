"""Paths of sources, deliveries, records and the hooks that CRMs post to."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from app.accounts.access import Principal, Session, requires
from app.accounts.permissions import Permission
from app.core import etags
from app.core.db import OrganizationId
from app.core.directory import Directory
from app.core.pagination import PageQuery
from app.core.problems import PreconditionFailed, problems
from app.core.routing import TransactionalRoute
from app.core.telemetry import DELIVERIES
from app.events.sources import SourceKeyTaken
from app.integrations import (
    backfill_router,
    credentials_router,
    deliveries,
    directory_router,
    oversight_router,
    records,
    schemas,
    service,
    subscription_router,
)
from app.integrations.adapters.base import REJECTED, RawRequest, Reply

SourceReader = Annotated[Principal, requires(Permission.SOURCES_READ)]
SourceWriter = Annotated[Principal, requires(Permission.SOURCES_WRITE)]

# As HubSpot posts that a deal was won; other systems have their own shapes.
_TOLD = [
    {
        "eventId": 3100000002,
        "subscriptionId": 2200002,
        "portalId": 44556677,
        "appId": 8123456,
        "occurredAt": 1783933505000,
        "subscriptionType": "deal.propertyChange",
        "attemptNumber": 0,
        "objectId": 19200000001,
        "propertyName": "dealstage",
        "propertyValue": "closedwon",
        "changeSource": "CRM_UI",
    }
]

# Documented, and not asked for by the framework: a call without proof is answered as any other that is not authentic.
_PROOFS = [
    {
        "name": "X-HubSpot-Signature-v3",
        "in": "header",
        "required": False,
        "description": "HubSpot: Base64 of the HMAC-SHA256, by the app's client secret, over method, address, body and "
        "time.",
        "schema": {"type": "string"},
    },
    {
        "name": "X-HubSpot-Request-Timestamp",
        "in": "header",
        "required": False,
        "description": "HubSpot: when it was signed, in milliseconds since 1970; at most 5 minutes away.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    {
        "name": "Authorization",
        "in": "header",
        "required": False,
        "description": "Pipedrive: `Basic` with the user and password that are the source's secret; no API key. "
        "Systems that sign nothing (Salesforce, Dynamics 365, a Flow): `Basic` or `Bearer` with the secret.",
        "schema": {"type": "string", "pattern": "^([Bb]asic|[Bb]earer) "},
    },
    {
        "name": "X-Paceline-Key",
        "in": "header",
        "required": False,
        "description": "Systems that sign nothing: the secret itself.",
        "schema": {"type": "string"},
    },
    {
        "name": "key",
        "in": "query",
        "required": False,
        "description": "The same, for systems that send no headers; `code` and `token` are taken too.",
        "schema": {"type": "string"},
    },
    {
        "name": "webhook-signature",
        "in": "header",
        "required": False,
        "description": "Standard Webhooks (Svix: `svix-signature`): `v1,` and the HMAC, or `v1a,` and the Ed25519 "
        "signature, over `webhook-id`, `webhook-timestamp` and body.",
        "schema": {"type": "string"},
    },
]

sources = APIRouter(route_class=TransactionalRoute, tags=["integrations"])
hooks = APIRouter(tags=["integrations"])


def _base(request: Request) -> str:
    return str(request.app.state.settings.public_base_url)


@sources.post("/sources", status_code=201, responses=problems(SourceKeyTaken))
async def create_source(
    session: Session, who: SourceWriter, new: schemas.SourceCreate, request: Request, response: Response
) -> schemas.Source:
    """Connect a system.

    Give the CRM the `webhook_url` of the answer. Secrets can be replaced, but never read again.
    """
    made = await service.create_source(request.app.state.database, session, who, new, _base(request))
    etags.tag(response, made.version)
    return made


@sources.get("/sources")
async def list_sources(
    session: Session, who: SourceReader, query: Annotated[PageQuery, Query()], request: Request
) -> schemas.SourcePage:
    """List the connected systems, archived ones too."""
    return await service.list_sources(session, who.org_id, query, _base(request))


@sources.get("/sources/{source_id}", responses=problems(service.SourceNotFound))
async def get_source(
    session: Session, who: SourceReader, source_id: UUID, request: Request, response: Response
) -> schemas.Source:
    """Read a source."""
    found = await service.get_source(session, who.org_id, source_id, _base(request))
    etags.tag(response, found.version)
    return found


@sources.patch("/sources/{source_id}", responses=problems(service.SourceNotFound, PreconditionFailed))
async def update_source(
    session: Session,
    who: SourceWriter,
    source_id: UUID,
    change: schemas.SourceUpdate,
    request: Request,
    response: Response,
    if_match: etags.IfMatch = None,
) -> schemas.ChangedSource:
    """Change a source.

    Another mapping or currency translates all of its records again, as a job: `refold_job_id`, at `/v1/jobs`. What
    follows is written as corrections of the events, so answers as of an earlier instant stay. The answer does not wait
    for it: the corrected events have a `recorded_at` after the change, and so have the records translated again as
    `updated_at`. Ask `…/mapping/preview` before, if you like.
    """
    changed = await service.update_source(session, who, source_id, change, if_match, _base(request))
    etags.tag(response, changed.version)
    return changed


@sources.delete(
    "/sources/{source_id}", status_code=204, responses=problems(service.SourceNotFound, service.SourceIsOurs)
)
async def archive_source(session: Session, who: SourceWriter, source_id: UUID) -> None:
    """Archive a source: nothing is accepted from it any more, and its events stay."""
    await service.archive_source(session, who, source_id)


@sources.post(
    "/sources/{source_id}/secrets",
    status_code=201,
    responses=problems(service.SourceNotFound, service.TooManySecrets),
)
async def add_source_secret(
    session: Session, who: SourceWriter, source_id: UUID, new: schemas.SourceSecretCreate
) -> schemas.SourceSecret:
    """Add a secret beside those that are active.

    Add the new one, change it in the CRM, retire the old one: no delivery is lost.
    """
    return await service.add_secret(session, who, source_id, new)


@sources.delete(
    "/sources/{source_id}/secrets/{secret_id}",
    status_code=204,
    responses=problems(service.SourceNotFound, service.SecretNotFound),
)
async def retire_source_secret(session: Session, who: SourceWriter, source_id: UUID, secret_id: UUID) -> None:
    """Retire a secret, at once."""
    await service.retire_secret(session, who, source_id, secret_id)


@sources.get("/sources/{source_id}/deliveries", responses=problems(service.SourceNotFound))
async def list_deliveries(
    session: Session, who: SourceReader, source_id: UUID, query: Annotated[schemas.DeliveryQuery, Query()]
) -> schemas.DeliveryPage:
    """List the webhook calls of a source, the newest first."""
    return await deliveries.list_deliveries(session, who.org_id, source_id, query)


@sources.get("/sources/{source_id}/deliveries/{delivery_id}", responses=problems(deliveries.DeliveryNotFound))
async def get_delivery(
    session: Session, who: SourceReader, source_id: UUID, delivery_id: UUID
) -> schemas.DeliveryDetail:
    """Read a webhook call, redacted, with what became of each of its messages."""
    return await deliveries.get_delivery(session, who.org_id, source_id, delivery_id)


@sources.post("/sources/{source_id}/deliveries/{delivery_id}/replay", responses=problems(deliveries.DeliveryNotFound))
async def replay_delivery(
    session: Session, who: SourceWriter, source_id: UUID, delivery_id: UUID
) -> schemas.DeliveryDetail:
    """Translate a delivery again, after the mapping or the adapter was mended.

    Nothing is counted twice: what a delivery says is a set, and it is in it already.
    """
    return await deliveries.replay(session, who, source_id, delivery_id)


@sources.get("/records")
async def list_records(
    session: Session, who: SourceReader, query: Annotated[schemas.RecordQuery, Query()]
) -> schemas.RecordPage:
    """List CRM objects as Paceline knows them."""
    return await records.list_records(session, who.org_id, query)


@sources.get("/records/{record_id}", responses=problems(records.RecordNotFound))
async def get_record(session: Session, who: SourceReader, record_id: UUID) -> schemas.RecordDetail:
    """Read a CRM object with the history of each field and its links."""
    return await records.get_record(session, who.org_id, record_id)


@hooks.post(
    "/hooks/{source_id}",
    response_class=Response,
    responses={
        200: {
            "description": "The sender's own form of success: for Salesforce a SOAP acknowledgement, for Fxiaoke a "
            "sealed answer, else an empty body."
        },
        401: {"description": "Not authentic, or no such source: an empty body."},
        413: {"description": "The body is larger than this server accepts: an empty body."},
        415: {"description": "The body is compressed: an empty body."},
        503: {"description": "Nothing could be stored just now: send it again."},
    },
    openapi_extra={
        "security": [],
        "parameters": _PROOFS,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"description": "What the CRM posts.", "examples": [_TOLD]}}},
        },
    },
)
async def receive_webhook(source_id: str, request: Request) -> Response:
    """Take a webhook call of a CRM.

    It is proved by the system's own signature or password, not by an API key. A call that is acknowledged
    is stored; translation follows within moments, and is awaited by reading the delivery's verdict.
    """
    state = request.app.state
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        return Response(status_code=415)  # signatures cover what was sent, and nobody documents compressed calls
    body = await _body(request, state.settings.max_hook_body_bytes)
    if body is None:
        return Response(status_code=413)
    org_id = await _organization(request, source_id)
    if org_id is None:
        DELIVERIES.labels("unknown", "rejected").inc()
        return _answer(REJECTED)
    return _answer(await state.inbox.take(org_id, UUID(source_id), _raw(request, body)))


# Challenges are the systems' own business, and none of them is for readers of the document.
@hooks.api_route("/hooks/{source_id}", methods=["GET", "OPTIONS"], include_in_schema=False)
async def answer_challenge(source_id: str, request: Request) -> Response:
    """Answer a system that asks whether somebody is here, where it has such a question."""
    org_id = await _organization(request, source_id)
    if org_id is not None:
        async with request.app.state.database.brief(org_id) as session:
            reply = await deliveries.answer_challenge(session, org_id, UUID(source_id), _raw(request, b""))
        if reply is not None:
            return _answer(reply)
    return Response(status_code=405, headers={"Allow": "POST"})


def _raw(request: Request, body: bytes) -> RawRequest:
    headers = {name.lower(): value for name, value in request.headers.items()}
    # Which address its sender signs is known to the source; what the call says of it is not needed.
    return RawRequest(request.method, "", headers, body, request.scope["query_string"].decode("latin-1"))


def _answer(reply: Reply) -> Response:
    return Response(reply.body, reply.status, headers=dict(reply.headers), media_type=reply.media_type)


async def _body(request: Request, most: int) -> bytes | None:
    """The exact bytes of the body, or None as soon as there are too many."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            return None
    return bytes(body)


async def _organization(request: Request, source_id: str) -> OrganizationId | None:
    try:
        known = UUID(source_id)
    except ValueError:
        return None
    directory: Directory = request.app.state.source_directory
    return await directory.organization_of(known)


router = APIRouter()
router.include_router(hooks)  # the busiest first: routes are looked for in their order
router.include_router(sources)
router.include_router(credentials_router.router)
router.include_router(directory_router.router)
router.include_router(backfill_router.router)
router.include_router(subscription_router.router)
router.include_router(oversight_router.router)
