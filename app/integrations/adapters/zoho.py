"""Zoho CRM: notifications of the watch API, webhooks of workflow rules, and the records that are fetched.

A notification names records that changed, and at most some of their new values; the rest is fetched.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Mapped
from datetime import datetime
from hashlib import sha256
from typing import ClassVar
from urllib.parse import parse_qsl

from app.events.facts import EventFacts
from app.integrations.adapters import proofs, snapshots, wire, zoho_events
from app.integrations.adapters.base import Adapter, Changes, Fetched, Item, Json, NotAuthentic, RawRequest, Unparseable
from app.integrations.adapters.personal import BUSINESS, is_personal
from app.integrations.adapters.snapshots import Snapshot
from app.integrations.adapters.translating import Translation
from app.integrations.adapters.wire import dictionary, elements
from app.integrations.adapters.zoho_events import CONVERTED, OWNER
from app.integrations.folding import CREATED, DELETED, HEARSAY, FieldChange, Key, Network, Record, Value
from app.integrations.mapping import Mapping

MODULE_OF = {
    "deal": "Deals",
    "lead": "Leads",
    "company": "Accounts",
    "contact": "Contacts",
    "call": "Calls",
    "meeting": "Events",
    "quote": "Quotes",
}
"""The API name of the module that holds an object."""
MODULES = {
    **{module: name for name, module in MODULE_OF.items()},
    "Potentials": "deal",
    "Meetings": "meeting",
}

MODULE = "$module"
"""A field of ours: the module of a record that is in none of these."""

_ALWAYS = frozenset({OWNER})
FIELDS: Mapped[str, frozenset[str]] = {
    "deal": _ALWAYS | {"Deal_Name", "Stage", "Pipeline", "Amount", "Currency", "Closing_Date"},
    "lead": _ALWAYS | {"Lead_Status", "Converted_Date_Time"} | CONVERTED,
    "company": _ALWAYS | {"Account_Name"},
    "contact": _ALWAYS,
    "call": _ALWAYS | {
        "Call_Type", "Call_Start_Time", "Call_Duration", "Call_Duration_in_seconds", "Call_Result",
        "Outgoing_Call_Status",
    },
    "meeting": _ALWAYS | {"Start_DateTime", "End_DateTime"},
    "quote": _ALWAYS | {"Quote_Stage", "Grand_Total", "Currency"},
}  # fmt: skip
"""What is read of each object: no names of people, addresses, numbers or texts."""

LINKS: Mapped[str, Mapped[str, str]] = {
    "deal": {"Account_Name": "company", "Contact_Name": "contact"},
    "lead": {"Converted_Account": "company", "Converted_Contact": "contact", "Converted_Deal": "deal"},
    "company": {},
    "contact": {"Account_Name": "company"},
    "call": {"What_Id": "", "Who_Id": "contact"},
    "meeting": {"What_Id": "", "Who_Id": "contact"},
    "quote": {"Deal_Name": "deal", "Account_Name": "company", "Contact_Name": "contact"},
}
"""Lookups with the object that they lead to; `What_Id` leads to one of the module `$se_module`."""

_SYSTEM = frozenset({"id", "Created_Time", "Modified_Time", "$se_module"})
_PERSONAL = frozenset({"Record_Image", "Skype_ID", "Twitter"})
HISTORY = "Stage_History"
_HISTORY_FIELDS = ("Stage", "Modified_Time", "Last_Modified_Time")
_NOTIFICATION = ("channel_id", "module", "operation", "server_time")
_MOST = 200  # options of a field, stages of a history, parameters of a form

# Workflow webhooks: the parameters of the template that the guide shows, beside the fields' own API names.
_PARAMETERS = {
    "account_id": "Account_Name", "amount": "Amount", "closing_date": "Closing_Date", "contact_id": "Contact_Name",
    "created": "Created_Time", "currency": "Currency", "deal_id": "Deal_Name", "deal_name": "Deal_Name",
    "lead_status": "Lead_Status", "modified": "Modified_Time", "owner": OWNER, "owner_id": OWNER,
    "pipeline": "Pipeline", "quote_stage": "Quote_Stage", "stage": "Stage",
}  # fmt: skip
# The first of these names the record, a later one what it is linked to.
_SUBJECTS = {"quote_id": "Quotes", "deal_id": "Deals", "potential_id": "Deals", "lead_id": "Leads"}
_TOKENS = frozenset({"token", "x_token"})
_BLANK = b" \t\r\n\xef\xbb\xbf"  # and the mark of UTF-8


class Zoho(Adapter):
    """The adapter of Zoho CRM."""

    system = "zoho"
    labels: ClassVar[Mapped[str, str]] = {"deal": "Deal_Name", "company": "Account_Name"}
    defaults = zoho_events.DEFAULTS

    def is_of_account(self, told: str, configured: str) -> bool:
        """The configured account is a channel's id, or several, joined by `_`; workflow webhooks name none."""
        return told in {"", configured, *configured.split("_")}

    def authenticate(self, request: RawRequest, secrets: Sequence[str], now: datetime, mapping: Mapping) -> None:
        """A notification by the token of its channel; a workflow webhook by a header or parameter."""
        try:
            told = _parsed(request.body)
        except Unparseable:
            told = {}
        if "channel_id" not in told:
            told_tokens = [str(value) for name, value in told.items() if name.lower() in _TOKENS]
            if proofs.is_among(told_tokens, secrets):
                return
            proofs.by_static_secret(request, secrets)
        elif not isinstance(token := told.get("token"), str) or not proofs.is_among([token], secrets):
            raise NotAuthentic("the token is no active secret")

    def redact(self, request: RawRequest, secrets: Sequence[str], mapping: Mapping) -> Json:
        """A notification without its token and what it echoes; of a workflow webhook the record it tells of."""
        told = _parsed(request.body)
        return _notification(told, mapping) if "channel_id" in told else {"workflow": _workflow(told, mapping)}

    def scrub(self, body: bytes) -> bytes:
        """Without tokens in whatever is left of a form or of JSON."""
        return proofs.without_secrets(body)

    def redact_fetched(self, fetched: Fetched, mapping: Mapping) -> Json:
        """Records of one module."""
        kind = _object_of(fetched.object, mapping)
        if not kind:
            raise Unparseable("nothing is read of this module")
        return snapshots.stored(fetched, [_kept(item, kind, mapping) for item in fetched.items])

    def split(self, redacted: Json) -> list[Item]:
        """A message for each record."""
        told = redacted if isinstance(redacted, dict) else {}
        if "fetched" in told:
            return snapshots.items_of(told, system="zoho", id_field="id", version_field="Modified_Time")
        try:
            return _changed(told) if "ids" in told else _posted(told)
        except Unparseable as problem:
            return [Item("", "", "", {}, str(problem))]

    def fold(self, item: Item, mapping: Mapping) -> Changes:
        """The state of a record, or that it changed; what is not told must be fetched."""
        told = item.payload
        kind = _object_of(told.get("fetched", told.get("module")), mapping)
        if not kind:
            return Changes()
        if "fetched" not in told:
            return _Message(told, kind, mapping).changes()
        at = snapshots.seen_at(told)
        if "gone" in told:
            return snapshots.gone((kind, wire.id_of(told["gone"], "id")), at)
        record = dictionary(told.get("item"))
        key = (kind, wire.id_of(record.get("id"), "id"))
        seen = Snapshot.seen(key, wire.instant(record.get("Modified_Time")), at)
        fields, links, _ = _state(seen, record, mapping)
        return Changes([*fields, *_module(seen, told["fetched"]), seen.one(DELETED, False)], links)

    def translate(self, record: Record, links: Network, mapping: Mapping, source_key: str) -> list[EventFacts]:
        """The events of a deal, lead, quote, call or meeting; companies and contacts have none."""
        return zoho_events.translate(
            Translation(record, links, mapping, source_key, zoho_events.owner_field(record, mapping))
        )

    def needs_fetch(self, record: Record, mapping: Mapping) -> bool:
        """Whether a field is missing without which nothing follows, or nobody is credited.

        What is in no standard module is only fetched when it is told of, by the name of its module: in the standard
        one it would seem to be gone.
        """
        needed = () if record.text(MODULE) else zoho_events.needed(record, mapping)
        return not record.is_gone and any(not record.history(name) for name in needed)


def _parsed(body: bytes) -> dict[str, Json]:
    """A JSON object, or the parameters of a form. Raises `Unparseable`."""
    if body.lstrip(_BLANK)[:1] in {b"{", b"["}:
        told = wire.parse(body)
        if not isinstance(told, dict):
            raise Unparseable("the body is no object")
        return told
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=_MOST))
    except ValueError:
        raise Unparseable("the body is neither JSON nor a form") from None


def _object_of(module: Json, mapping: Mapping) -> str:
    """The object that a module holds, by the name of either; empty for modules that are not kept."""
    name = str(module)
    return mapping.objects.get(name) or MODULES.get(name) or (name if name in MODULE_OF else "")


def _notification(told: dict[str, Json], mapping: Mapping) -> Json:
    kept: dict[str, Json] = {name: wire.scalar(told.get(name)) for name in _NOTIFICATION}
    kept["ids"] = [_id_text(each) for each in _list(told.get("ids"), "ids")]
    kept["affected_fields"] = [
        {wire.storable(id_): [wire.scalar(name) for name in elements(names)] for id_, names in dictionary(each).items()}
        for each in elements(told.get("affected_fields"))
    ]
    kind = _object_of(told.get("module"), mapping)
    kept["affected_values"] = [
        {
            "record_id": wire.scalar(each.get("record_id")),
            "values": _kept(dictionary(each.get("values")), kind, mapping),
        }
        for each in map(dictionary, elements(told.get("affected_values")))
    ]
    return kept


def _id_text(value: Json) -> str:
    """An id, whether it came as a number or as text; empty for what is none, which its message then says."""
    try:
        return wire.id_of(value, "id")
    except Unparseable:
        return ""


def _list(value: Json, name: str) -> list[Json]:
    if not isinstance(value, list):
        raise Unparseable(f"{name} is no list")
    return value


def _kept(record: Mapped[str, Json], kind: str, mapping: Mapping) -> dict[str, Json]:
    """The fields that are read, or may be by a later mapping."""
    read = FIELDS.get(kind, frozenset()) | set(LINKS.get(kind, ())) | _SYSTEM | mapping.extra_fields(kind)
    kept = {
        wire.storable(name): _flat(value)
        for name, value in record.items()
        if name in read or (kind in BUSINESS and not _is_personal(name, value))
    }
    if kind == "deal" and isinstance(rows := record.get(HISTORY), list):
        kept[HISTORY] = [
            {name: wire.scalar(row[name]) for name in _HISTORY_FIELDS if name in row}
            for row in map(dictionary, rows[:_MOST])
        ]
    return kept


def _is_personal(name: str, value: Json) -> bool:
    return is_personal(name, value) or name in _PERSONAL or name.startswith("$")


def _flat(value: Json) -> Json:
    """Of a lookup the id (and the module), of a list the plain options."""
    if isinstance(value, dict):
        module = value.get("module")
        name = module.get("api_name") if isinstance(module, dict) else module
        return {"id": wire.scalar(value.get("id")), **({"module": wire.scalar(name)} if name else {})}
    if isinstance(value, list):
        return [wire.scalar(each) for each in value[:_MOST] if not isinstance(each, list | dict)]
    return wire.scalar(value)


def _workflow(told: dict[str, Json], mapping: Mapping) -> dict[str, Json]:
    """The record that the parameters of a template tell of. Raises `Unparseable`."""
    subject = next((name for name in _SUBJECTS if name in told), None)
    module = told.get("module") if subject is None else _SUBJECTS[subject]
    id_, operation = told.get(subject or "id"), told.get("operation")
    spoken_for = {subject or "id", "operation", "module", *_TOKENS}
    named = {_PARAMETERS.get(name, name): value for name, value in told.items() if name.lower() not in spoken_for}
    if not isinstance(module, str):
        raise Unparseable("no parameter names the record: deal_id, lead_id or quote_id, else module and id")
    return {
        "module": wire.storable(module),
        "id": wire.scalar(id_),
        "operation": wire.scalar(operation),
        "values": _kept(named, _object_of(module, mapping), mapping),
    }


def _changed(told: dict[str, Json]) -> list[Item]:
    """A message for each record that a notification names; one that cannot be read says so itself."""
    channel = wire.id_of(told.get("channel_id"), "channel_id")
    module, operation = told.get("module"), told.get("operation")
    if not isinstance(module, str) or not isinstance(operation, str):
        raise Unparseable("the notification names no module and operation")
    fields = {
        id_: names for each in map(dictionary, elements(told.get("affected_fields"))) for id_, names in each.items()
    }
    values = {
        str(each.get("record_id")): each.get("values")
        for each in map(dictionary, elements(told.get("affected_values")))
    }
    common = {name: told.get(name) for name in _NOTIFICATION}
    items = []
    for named in dict.fromkeys(map(str, elements(told.get("ids")))):
        affected = sorted(map(str, elements(fields.get(named))))
        digest = sha256(",".join([named, *affected]).encode()).hexdigest()
        key = f"zoho:{channel}:{module}:{operation}:{digest}:{told.get('server_time')}"
        payload: dict[str, Json] = {**common, "id": named, "values": values.get(named)}
        items.append(Item(channel, f"{module}.{operation}", key, payload))
    return items


def _posted(told: dict[str, Json]) -> list[Item]:
    """The message of a workflow webhook; it names no account."""
    record = dictionary(told.get("workflow"))
    if not record:
        raise Unparseable("neither a notification nor a workflow webhook")
    values = dictionary(record.get("values"))
    digest = sha256(repr(sorted(values.items())).encode()).hexdigest()
    key = f"zoho:workflow:{record['module']}:{record['id']}:{record['operation']}:{digest}"
    return [Item("", f"workflow.{record['module']}", key, record)]


class _Message:
    """A notification of one record, or a workflow webhook: `server_time` is told by the first only."""

    def __init__(self, told: dict[str, Json], kind: str, mapping: Mapping) -> None:
        self.key = (kind, wire.id_of(told.get("id"), "id"))
        self.module = str(told["module"])
        self.values = dictionary(told.get("values"))
        self.mapping = mapping
        self.operation = snapshots.what_happened(told.get("operation"))
        self.modified = wire.instant(self.values.get("Modified_Time"))
        self.sent = wire.epoch_ms(told.get("server_time"))
        if self.sent is None and "server_time" in told:
            raise Unparseable("server_time is no instant in milliseconds")

    def changes(self) -> Changes:
        """What it tells, and whether the record must be fetched. Without an instant it only tells that."""
        at = self.modified or self.sent
        if at is None:
            return Changes(wanted=[self._asked])
        if self.operation == "delete":
            return Changes([FieldChange(*self.key, DELETED, self.sent or at, snapshots.PARTIAL, True)])
        state = Snapshot(self.key, at)
        fields, links, _ = _state(state, self.values, self.mapping)
        wanted = [] if self._is_enough() else [self._asked]
        return Changes([*fields, *_module(state, self.module), *self._existence(self.sent or at)], links, wanted)

    @property
    def _asked(self) -> Key:
        """What is to be fetched; what is in no standard module, by the name of its own."""
        return (self.module, self.key[1]) if _is_custom(self.module, self.key[0]) else self.key

    def _existence(self, at: datetime) -> list[FieldChange]:
        """A record that was made or restored is there. When it was made, the record itself tells better."""
        if self.operation not in {"insert", "restore"}:
            return []
        made = [FieldChange(*self.key, CREATED, at, HEARSAY, True)] if self.operation == "insert" else []
        return [*made, FieldChange(*self.key, DELETED, at, snapshots.PARTIAL, False)]

    def _is_enough(self) -> bool:
        """Of workflow webhooks only: whether their template tells all that is needed."""
        needed = zoho_events.needed(Record(*self.key), self.mapping)
        return self.sent is None and all(_value(name, self.values.get(name)) is not None for name in needed)


def _is_custom(module: str, kind: str) -> bool:
    return module != kind and MODULES.get(module) != kind


def _module(state: Snapshot, module: Json) -> list[FieldChange]:
    return [state.one(MODULE, wire.value_of(module))] if _is_custom(str(module), state.key[0]) else []


def _state(snapshot: Snapshot, record: Mapped[str, Json], mapping: Mapping) -> Changes:
    """The fields and links of a record, as far as they are told."""
    kind, id_ = snapshot.key
    wanted = FIELDS.get(kind, frozenset()) | mapping.extra_fields(kind)
    fields = snapshot.fields({name: _value(name, value) for name, value in record.items() if name in wanted})
    if made := wire.instant(record.get("Created_Time")):
        fields.append(FieldChange(kind, id_, CREATED, made, HEARSAY, True))
    fields += _stages(snapshot, record)
    return Changes(fields, snapshot.links(_others(record, kind, mapping)))


def _stages(snapshot: Snapshot, record: Mapped[str, Json]) -> Iterable[FieldChange]:
    """The stages that a deal was in, where its history was fetched with it: a row is made when one is entered."""
    for row in map(dictionary, elements(record.get(HISTORY))):
        at = wire.instant(row.get("Modified_Time", row.get("Last_Modified_Time")))
        if at and (entered := wire.value_of(row.get("Stage"))):
            yield FieldChange(*snapshot.key, "Stage", at, HEARSAY, entered)


def _value(name: str, value: Json) -> Value:
    if name in CONVERTED:
        return value in (True, "true", "True")
    if isinstance(value, dict):
        value = value.get("id")
    if isinstance(value, list):
        return ",".join(text for each in value if isinstance(text := wire.value_of(each), str)) or None
    return wire.value_of(value)


def _others(record: Mapped[str, Json], kind: str, mapping: Mapping) -> Iterable[Key]:
    """What the lookups lead to."""
    for name, leads_to in LINKS.get(kind, {}).items():
        told = record.get(name)
        lookup = told if isinstance(told, dict) else {"id": told}
        other = leads_to
        if module := lookup.get("module") or (record.get("$se_module") if name == "What_Id" else None):
            other = _object_of(module, mapping)
        id_ = wire.id_or_none(wire.value_of(lookup.get("id")))
        if other and id_:
            yield other, id_
