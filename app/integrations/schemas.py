"""Wire shapes of sources, their mapping, deliveries and records."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import MISSING, AfterValidator, AnyHttpUrl, ConfigDict, Field, StringConstraints

from app.core.pagination import PageQuery
from app.core.schemas import CurrencyCode, Input, Name, Output, Page, Text
from app.events.facts import TYPE_PATTERN
from app.integrations.mapping import DISPOSITIONS

System = Literal["api", "dynamics365", "fxiaoke", "hubspot", "pipedrive", "salesforce", "webhook", "zoho"]
Verdict = Literal["received", "translated", "ignored", "foreign_account", "unparseable", "failed"]
SourceKey = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$"),
    Field(description="Short name; it begins the ids of the source's deals and contacts in events."),
]
Secret = Annotated[
    Text,
    StringConstraints(min_length=8, max_length=500),
    Field(
        description="HubSpot: the app's client secret. Pipedrive: `user:password`. Zoho: the token of the notification "
        "channel. Fxiaoke: the `aesKey`, or `token=…;encodingAesKey=…` of an app of 2015. Never shown again."
    ),
]
CrmField = Annotated[Text, StringConstraints(min_length=1, max_length=100), Field(description="A field of the CRM.")]
CrmValue = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
CrmValues = Annotated[list[CrmValue], Field(max_length=200)]
Role = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
RecordObject = Literal[
    "deal", "lead", "call", "meeting", "email", "activity", "contact", "company", "quote", "feedback", "message"
]


def _address(value: str) -> str:
    AnyHttpUrl(value)
    return value


SignedUrl = Annotated[Text, StringConstraints(max_length=2000), AfterValidator(_address)]


class PropertyFrom(Input):
    """A property of events that is read from a field."""

    field: CrmField
    kind: Literal["text", "number", "boolean"] = Field(default="text", description="What the field's text means.")


FieldRole = Literal[
    "amount", "currency", "owner", "close_date", "stage", "pipeline", "created", "start", "end", "duration", "outcome",
    "direction", "score", "customer",
]  # fmt: skip
PropertiesFrom = Annotated[dict[Role, PropertyFrom], Field(max_length=40)]


_MAPPING: dict[str, Any] = {  # Any: JSON
    "won_stages": ["closedwon", "48591"],
    "lost_stages": ["closedlost", "48592"],
    "win_dated_by": "close_date",
    "credit_owner": "corrected",
    "credit_correction_days": 7,
    "credit_roles": {"sourcer": "sdr_owner_id"},
    "customer": ["company", "contact"],
    "meeting_held": "ended",
    "connected_outcomes": ["connected", "left_live_message"],
    "automated_sources": ["AUTOMATION_PLATFORM", "SEQUENCE", "WORKFLOWS", "INTEGRATION"],
    "properties": {"deal": {"region": {"field": "sales_region"}, "seats": {"field": "seats", "kind": "number"}}},
}


Path = Annotated[
    str,
    StringConstraints(pattern=r"^[@A-Za-z0-9_$-][^\x00]*$", max_length=200),
    Field(description="Where it stands in the message: dotted keys, such as `data.owner.id`."),
]
Paths = Path | Annotated[list[Path], Field(min_length=1, max_length=10)]


class RuleConfig(Input):
    """One kind of message of a system of one's own, and the event that it tells.

    Fields are paths into the message, or lists of paths of which the first that is told counts. `@id` is the message's
    own id (CloudEvents: source and id; `webhook-id`), `@time` its time, `@type` its type by the last two words.
    """

    when: dict[Path, CrmValue | Annotated[list[CrmValue], Field(min_length=1, max_length=50)]] = Field(
        default={},
        max_length=10,
        description="Values by path: the rule holds where all of them are told. Default: always.",
    )
    event: Annotated[str, StringConstraints(pattern=TYPE_PATTERN, max_length=200)] | None = Field(
        default=None, description="Type of the event. Default: the message's own type by its last two words."
    )
    retracts: bool = Field(default=False, description="Such a message takes the event back.")
    id: Paths = Field(default="@id", description="Names the fact: told again under the same id it is a correction.")
    updated_at: Paths = Field(default="@time", description="Orders what is told of one fact.")
    occurred_at: Paths | None = Field(
        default=None, description="When it happened. Default: the time of its first message."
    )
    occurred_on: Paths | None = Field(default=None, description="The local date that decides its day.")
    actor: Paths | None = Field(default=None, description="Who did it: the person's id in that system.")
    actor_email: Paths | None = Field(default=None, description="The person's e-mail, which helps to map the identity.")
    roles: dict[Role, Paths] = Field(default={}, max_length=20, description="Further roles, each with the person's id.")
    about: dict[Role, Paths] = Field(
        default={}, max_length=20, description="What it is about (`deal`, `customer` …), each with its id."
    )
    about_source: SourceKey | None = Field(
        default=None, description="Key of the source whose ids these are, such as the CRM's. Default: this one."
    )
    amount: Paths | None = Field(default=None, description="Amount of money.")
    amount_unit: Literal["major", "cents", "micros"] = Field(default="major", description="What the amount counts.")
    currency: Paths | None = Field(default=None, description="ISO 4217 code. Default: the source's currency.")
    quantity: Paths | None = Field(default=None, description="A number of things.")
    duration: Paths | None = Field(default=None, description="How long it took.")
    duration_unit: Literal["s", "ms", "min", "hh:mm:ss"] = Field(default="s", description="What the duration counts.")
    properties: dict[Role, Paths] = Field(default={}, max_length=40, description="Further properties.")
    constants: dict[Role, CrmValue | bool] = Field(
        default={}, max_length=40, description="Properties that every such event has."
    )


class MappingConfig(Input):
    """How the CRM's fields become events; everything has a default, which null restores.

    A list or object that is given replaces the default as a whole: repeat what shall stay of it.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_MAPPING]})

    accept_v1: bool | None = Field(
        default=None,
        description="HubSpot: accept v1 signatures where there is no v3 signature. Default: `false`, v3 only.",
    )
    won_stages: CrmValues | None = Field(
        default=None,
        description="HubSpot: ids of deal stages that are wins; each pipeline of yours has its own, often numeric. "
        'Default: `["closedwon"]`. Zoho: values of `Stage`, default `["Closed Won"]`. Fxiaoke: values of '
        '`sales_stage`, default `["赢单", "won"]`, beside its status. Pipedrive: not used, its status tells.',
    )
    lost_stages: CrmValues | None = Field(
        default=None,
        description='HubSpot: ids of deal stages that are losses. Default: `["closedlost"]`. Zoho: default '
        '`["Closed Lost", "Closed-Lost to Competition", "Closed Lost to Competition"]`. Fxiaoke: default '
        '`["输单", "lost"]`.',
    )
    win_dated_by: Literal["close_date", "change"] | None = Field(
        default=None,
        description="What dates a win or loss. `close_date` (default): HubSpot's `closedate`, Pipedrive's won or lost "
        "time; where there is none, the change. `change`: when the deal came into the stage or status.",
    )
    credit_owner: Literal["at_win", "corrected", "always"] | None = Field(
        default=None,
        description="Whose a win or loss is. `at_win`: the owner at that moment. `corrected` (default): the owner "
        "`credit_correction_days` after it. `always`: the present owner, whenever that changes.",
    )
    credit_correction_days: int | None = Field(
        default=None,
        ge=0,
        le=366,
        description="With `corrected`: for how many days after a win or loss a change of owner still moves it. "
        "Default: `7`.",
    )
    credit_roles: dict[Role, CrmField] | None = Field(
        default=None,
        max_length=20,
        description="Further roles of a deal's events, each with the deal's field that holds the person's id; they "
        "have the whole share. Default: none, only `owner`.",
    )
    customer: list[Literal["company", "contact"]] | None = Field(
        default=None,
        min_length=1,
        max_length=2,
        description="What is the `customer` in `about`: the first of these that there is. "
        'Default: `["company", "contact"]`.',
    )
    lead_object: Literal["lead", "contact"] | None = Field(
        default=None,
        description="HubSpot: what is a lead. `lead` (default): the lead object. `contact`: a contact, by its "
        "lifecycle stage.",
    )
    created_lead_stages: CrmValues | None = Field(
        default=None,
        description="HubSpot, with contacts as leads: lifecycle stages in which one becomes a lead. "
        'Default: `["lead"]`.',
    )
    qualified_lead_stages: CrmValues | None = Field(
        default=None,
        description="HubSpot: pipeline stages of leads, or lifecycle stages of contacts, that mean qualified. "
        'Default: `["qualified-stage-id", "salesqualifiedlead"]`.',
    )
    converted_lead_stages: CrmValues | None = Field(
        default=None,
        description="HubSpot: pipeline stages of leads, or lifecycle stages of contacts, that mean converted. "
        'Default: `["opportunity", "customer"]`. Pipedrive: not used, the deal made of a lead tells.',
    )
    sent_quote_stages: CrmValues | None = Field(
        default=None,
        description="Stages of quotes that mean sent, or more. Zoho: `Quote_Stage`, default "
        '`["Delivered", "Confirmed", "Closed Won"]`. Fxiaoke: default `["normal"]`, the life status of a quote that is '
        "in force.",
    )
    accepted_quote_stages: CrmValues | None = Field(
        default=None,
        description='Stages of quotes that mean accepted. Zoho: default `["Confirmed", "Closed Won"]`. Fxiaoke: '
        "default none.",
    )
    meeting_held: Literal["ended", "completed"] | None = Field(
        default=None,
        description="HubSpot: `ended` (default): a meeting was held when its end has passed, unless its outcome is "
        "one of `not_held_outcomes`. `completed`: only with one of `completed_outcomes`.",
    )
    completed_outcomes: CrmValues | None = Field(
        default=None,
        description='HubSpot: outcomes of meetings that took place, in capitals. Default: `["COMPLETED"]`.',
    )
    not_held_outcomes: CrmValues | None = Field(
        default=None,
        description="HubSpot: outcomes of meetings that did not take place, in capitals. "
        'Default: `["CANCELED", "CANCELLED", "NO SHOW", "NO_SHOW"]`.',
    )
    connected_outcomes: CrmValues | None = Field(
        default=None,
        description="HubSpot: outcomes of calls, after `dispositions`, that set `properties.connected`. "
        'Default: `["connected"]`.',
    )
    dispositions: dict[CrmValue, CrmValue] | None = Field(
        default=None,
        max_length=200,
        description="HubSpot: the `properties.outcome` that each call disposition means, by its id in lower case; "
        "an id that is not listed is the outcome itself. Default: HubSpot's own, "
        + ", ".join(f"`{id_}` {outcome}" for id_, outcome in DISPOSITIONS.items())
        + ".",
    )
    automated_sources: CrmValues | None = Field(
        default=None,
        description="HubSpot: `changeSource` of an activity's creation that sets `properties.automated`. Default: "
        '`["AUTOMATION", "AUTOMATION_PLATFORM", "BOT", "SEQUENCE", "SEQUENCES", "WORKFLOW", "WORKFLOWS"]`.',
    )
    activity_types: dict[CrmValue, Literal["call", "meeting", "email"]] | None = Field(
        default=None,
        max_length=200,
        description="Pipedrive: what each type of activity counts as, by its key; other types make no events. "
        'Default: `{"call": "call", "meeting": "meeting", "email": "email"}`.',
    )
    scheme: Literal["standard_webhooks", "github", "stripe", "hmac_sha256", "static"] | None = Field(
        default=None,
        description="`webhook`: how calls are proved. `standard_webhooks` (default; Svix too), `github` "
        "(`X-Hub-Signature-256`), `stripe` (`t=…,v1=…`), `hmac_sha256` (of the body, in `signature_header`) or "
        "`static`: the secret itself, as `?key=`, in `X-Paceline-Key` or in `Authorization`.",
    )
    signature_header: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,100}$")] | None = Field(
        default=None, description="`webhook`: the header with the signature. Default: the scheme's own."
    )
    naive_times: Literal["local", "utc"] | None = Field(
        default=None,
        description="`webhook`: what times without a zone are in. Default: `local`, the organization's zone.",
    )
    items: Path | None = Field(
        default=None,
        description="`webhook`: where the list of messages stands in a body that holds several. Default: a body "
        "is one message, or a list of them.",
    )
    rules: list[RuleConfig] | None = Field(
        default=None,
        max_length=100,
        description="`webhook`: what the messages mean; the first rule that holds is taken, and a message without one "
        "is ignored. Default: messages named after the catalogue's event types, with `data` as events are posted.",
    )
    objects: dict[CrmValue, RecordObject] | None = Field(
        default=None,
        max_length=50,
        description="Further kinds of objects of the CRM, by their technical name (HubSpot: `2-1234567`), each with "
        "what it counts as. Default: none, only the CRM's own.",
    )
    fields: dict[RecordObject, dict[FieldRole, CrmField]] | None = Field(
        default=None,
        description="Fields that play a role instead of the CRM's own, by object: `amount`, `currency`, `owner`, "
        "`close_date`, `stage` … Default: the CRM's own fields.",
    )
    currencies: dict[CrmValue, CurrencyCode] | None = Field(
        default=None,
        max_length=200,
        description="The currency that each value of the CRM's currency field means, where that is no ISO 4217 code "
        "(Dynamics 365: the id of the currency). Default: none.",
    )
    properties: dict[RecordObject, PropertiesFrom] | None = Field(
        default=None,
        description="Further `properties` of events, by the object of their record, each with the field it is read "
        "from and its `kind`: `text` (default), `number` or `boolean`. Default: none.",
    )


class SourceCreate(Input):
    """A system to connect."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "key": "hubspot",
                    "name": "HubSpot of sales",
                    "system": "hubspot",
                    "account_id": "44556677",
                    "secrets": ["hs-app-client-secret-0001"],
                    "currency": "EUR",
                }
            ]
        }
    )

    key: SourceKey
    name: Name = Field(description="What people call it.")
    system: System = Field(description="What is connected; `api` is a system that posts events itself.")
    account_id: Annotated[Text, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = Field(
        default=None,
        description="The CRM's account: HubSpot's portal id, Pipedrive's company id, Zoho's notification channel "
        "(or several, joined by `_`), Fxiaoke's `enterpriseAccount`. CRMs need it.",
    )
    secrets: list[Secret] = Field(default=[], max_length=5, description="Secrets that prove deliveries, write-only.")
    signed_url: SignedUrl | None = Field(
        default=None, description="The address that signatures cover; null: `webhook_url`.", examples=[None]
    )
    currency: CurrencyCode | None = Field(default=None, description="Of amounts that come without one (S27).")
    counts: list[Annotated[Text, StringConstraints(max_length=200)]] | None = Field(
        default=None, max_length=100, description="Event types this source is authoritative for; null: all (S10)."
    )
    mapping: MappingConfig = Field(default_factory=MappingConfig, description="How fields become events.")


class SourceUpdate(Input):
    """What changes; absent fields stay. Another mapping or currency translates all records again, as a job."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"mapping": {"won_stages": ["closedwon", "48591"]}}]})

    name: Name | MISSING = Field(default=MISSING, description="What people call it.")
    account_id: Annotated[Text, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | MISSING = Field(
        default=MISSING, description="The CRM's account."
    )
    signed_url: SignedUrl | MISSING | None = Field(default=MISSING, description="The address that signatures cover.")
    currency: CurrencyCode | MISSING | None = Field(default=MISSING, description="Of amounts that come without one.")
    counts: list[Annotated[Text, StringConstraints(max_length=200)]] | MISSING | None = Field(
        default=MISSING, max_length=100, description="Event types this source is authoritative for; null: all."
    )
    mapping: MappingConfig | MISSING = Field(
        default=MISSING, description="Absent fields stay, null restores a default."
    )


class SourceSecretCreate(Input):
    """One more secret, beside those that are active: how one is replaced without losing deliveries."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"secret": "hs-app-client-secret-0002"}]})

    secret: Secret


class SourceSecret(Output):
    """An active secret, without itself."""

    id: UUID = Field(description="Names the secret when it is to be retired.")
    created_at: datetime = Field(description="When it was added.")


class Source(Output):
    """A connected system."""

    id: UUID = Field(description="Identifier of the source.")
    key: str = Field(description="Short name, unique in the organization.", examples=["hubspot"])
    name: str = Field(description="What people call it.", examples=["HubSpot of sales"])
    system: str = Field(
        description="What is connected; `paceline` is what Paceline itself tells, such as who joined.",
        examples=["hubspot"],
    )
    account_id: str | None = Field(description="The CRM's account.", examples=["44556677"])
    webhook_url: str | None = Field(description="Where the CRM is to post.", examples=["https://…/v1/hooks/…"])
    signed_url: str | None = Field(description="The address that signatures are checked against.")
    secrets: list[SourceSecret] = Field(description="Active secrets, without themselves.")
    currency: str | None = Field(description="Of amounts that come without one.", examples=["EUR"])
    counts: list[str] | None = Field(description="Event types this source is authoritative for; null: all.")
    # Any: the configured mapping, of which only what differs from the defaults is stored.
    mapping: dict[str, Any] = Field(description="The mapping as configured; what is absent has its default.")
    created_at: datetime = Field(description="When it was connected.")
    archived_at: datetime | None = Field(description="Since when nothing is accepted from it any more.")
    version: int = Field(description="Grows with each change; it is the ETag.", examples=[1])


class ChangedSource(Source):
    """A connected system as it was changed."""

    refold_job_id: UUID | None = Field(
        description="The job that lets the past follow, at `/v1/jobs`; null where the change concerns no record."
    )


class SourcePage(Page[Source]):
    """A page of sources."""


class ItemVerdict(Output):
    """What became of one message of a delivery."""

    kind: str = Field(description="What it says it is.", examples=["deal.propertyChange"])
    verdict: Verdict = Field(description="What became of it.")
    key: str = Field(description="The same for every repetition of the message.")
    problem: str | None = Field(description="Why it could not be read.")


class Delivery(Output):
    """One authenticated webhook call, without its body."""

    id: UUID = Field(description="Identifier of the delivery.")
    source_id: UUID = Field(description="The source that posted it.")
    received_at: datetime = Field(description="When it came, by the organization's clock.")
    origin: Literal["webhook", "fetch", "backfill"] = Field(
        description="How it came: posted by the system, or its answer when it was asked for objects."
    )
    verdict: Verdict = Field(description="What became of it: `received` until it is translated.")
    error: str | None = Field(description="The kind of failure, where it failed or could not be read.")
    size: int = Field(description="Bytes of the body as it came.")
    digest: str = Field(description="SHA-256 of the body as it came, in hexadecimal.")
    processed_at: datetime | None = Field(description="When its translation was done.")


class DeliveryDetail(Delivery):
    """One authenticated webhook call."""

    headers: dict[str, str] = Field(description="Harmless headers; signatures and passwords are never kept.")
    # Any: the redacted body has the sender's own shape.
    body: Any = Field(description="The body without names, addresses and texts of customers; null if unreadable.")
    items: list[ItemVerdict] = Field(description="What became of each message.")


class DeliveryPage(Page[Delivery]):
    """A page of deliveries, the newest first."""


class DeliveryQuery(PageQuery):
    """Which deliveries."""

    verdict: Verdict | None = Field(default=None, description="Only those with this verdict.")


class FieldValue(Output):
    """One value of a field, since when by the source's clock."""

    value: str | bool | None = Field(description="The value; null where it was cleared.")
    at: datetime = Field(description="Since when, by the source's clock.")
    recorded_at: datetime = Field(description="When Paceline was told.")


class Link(Output):
    """Another object that a record is linked to, through merges."""

    object: str = Field(description="What it is.", examples=["company"])
    external_id: str = Field(description="Its id in the CRM.", examples=["7700001"])
    is_primary: bool = Field(description="Whether it is the primary one of its kind.")
    at: datetime = Field(description="Since when, by the source's clock.")


class Record(Output):
    """One CRM object, folded from deliveries."""

    id: UUID = Field(description="Identifier of the record.")
    source_id: UUID = Field(description="The source it belongs to.")
    object: str = Field(description="What it is.", examples=["deal"])
    external_id: str = Field(description="Its id in the CRM.", examples=["19200000001"])
    label: str | None = Field(description="What people call it; never the name of a person.")
    url: str | None = Field(description="Its page in the CRM.")
    state: dict[str, str | bool | None] = Field(description="The latest value of each field that is kept.")
    source_created_at: datetime | None = Field(description="When it was made, by the source's clock.")
    is_deleted: bool = Field(description="Whether it was deleted, and not restored.")
    merged_into: str | None = Field(description="The object that it was merged into.")
    needs_fetch: bool = Field(description="Whether fields are missing without which no event can be made.")
    updated_at: datetime = Field(description="When something new was told of it, or it was translated again.")


class RecordDetail(Record):
    """One CRM object with its history and links."""

    fields: dict[str, list[FieldValue]] = Field(description="The history of each field, the oldest value first.")
    links: list[Link] = Field(description="What it is linked to now.")


class RecordPage(Page[Record]):
    """A page of records."""


class RecordQuery(PageQuery):
    """Which records."""

    source_id: UUID | None = Field(default=None, description="Only those of this source.")
    object: RecordObject | None = Field(default=None, description="Only those of this kind.")
    external_id: Annotated[Text, StringConstraints(max_length=64)] | None = Field(
        default=None, description="Only the object with this id in the CRM."
    )
    needs_fetch: bool | None = Field(default=None, description="Only those (not) in need of more fields.")
