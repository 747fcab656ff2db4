"""How a source's fields become events: configuration with defaults that make our July the CRM's July."""

from collections.abc import Mapping as Mapped
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any, Literal

from app.integrations.rules import Rule, rule_of

CONNECTED = "f240bbac-87c9-4f6e-bf70-924b57d47db7"
"""HubSpot's id of the call disposition 'Connected'."""

DISPOSITIONS = {
    CONNECTED: "connected",
    "9d9162e7-6cf3-4944-bf63-4dff82258764": "busy",
    "73a0d17f-1163-4015-bdd5-ec830791da20": "no_answer",
    "b2cf5968-551e-4856-9783-52b3da59a7d0": "left_voicemail",
    "a4c4c377-d246-4b32-a13b-75a56a4cd0ff": "left_live_message",
    "17b47fee-58de-441e-a44c-c6300d46f273": "wrong_number",
}


@dataclass(frozen=True, slots=True)
class PropertyFrom:
    """A property of events that is read from a field of the record."""

    field: str
    kind: Literal["text", "number", "boolean"] = "text"


@dataclass(frozen=True, slots=True)
class Mapping:
    """The mapping of one source. `time_zone` is the organization's, and decides local days of close dates."""

    time_zone: str = "UTC"
    accept_v1: bool = False

    won_stages: frozenset[str] = frozenset({"closedwon"})
    lost_stages: frozenset[str] = frozenset({"closedlost"})
    win_dated_by: Literal["close_date", "change"] = "close_date"
    credit_owner: Literal["at_win", "corrected", "always"] = "corrected"
    credit_correction: timedelta = timedelta(days=7)
    credit_roles: Mapped[str, str] = field(default_factory=dict)
    customer: tuple[Literal["company", "contact"], ...] = ("company", "contact")

    lead_object: Literal["lead", "contact"] = "lead"
    created_lead_stages: frozenset[str] = frozenset({"lead"})
    qualified_lead_stages: frozenset[str] = frozenset({"qualified-stage-id", "salesqualifiedlead"})
    converted_lead_stages: frozenset[str] = frozenset({"opportunity", "customer"})

    sent_quote_stages: frozenset[str] = frozenset()
    accepted_quote_stages: frozenset[str] = frozenset()

    meeting_held: Literal["ended", "completed"] = "ended"
    completed_outcomes: frozenset[str] = frozenset({"COMPLETED"})
    not_held_outcomes: frozenset[str] = frozenset({"CANCELED", "CANCELLED", "NO SHOW", "NO_SHOW"})
    connected_outcomes: frozenset[str] = frozenset({"connected"})
    dispositions: Mapped[str, str] = field(default_factory=lambda: DISPOSITIONS)
    automated_sources: frozenset[str] = frozenset(
        {"AUTOMATION", "AUTOMATION_PLATFORM", "BOT", "SEQUENCE", "SEQUENCES", "WORKFLOW", "WORKFLOWS"}
    )
    activity_types: Mapped[str, str] = field(
        default_factory=lambda: {"call": "call", "meeting": "meeting", "email": "email"}
    )

    scheme: Literal["standard_webhooks", "github", "stripe", "hmac_sha256", "static"] = "standard_webhooks"
    signature_header: str | None = None
    naive_times: Literal["local", "utc"] = "local"
    items: str | None = None
    rules: tuple[Rule, ...] = ()

    objects: Mapped[str, str] = field(default_factory=dict)
    fields: Mapped[str, Mapped[str, str]] = field(default_factory=dict)
    currencies: Mapped[str, str] = field(default_factory=dict)
    properties: Mapped[str, Mapped[str, PropertyFrom]] = field(default_factory=dict)

    def field_of(self, object: str, role: str, standard: str) -> str:  # noqa: A002
        """The field of an object that plays a role (`amount`, `owner`, `close_date` ...): the configured one, or the
        system's standard one."""
        return self.fields.get(object, {}).get(role, standard)

    def extra_fields(self, object: str) -> frozenset[str]:  # noqa: A002
        """Fields of an object that the adapter does not know by itself, but this mapping reads."""
        fields = {told.field for told in self.properties.get(object, {}).values()}
        fields |= set(self.fields.get(object, {}).values())
        return frozenset(fields | set(self.credit_roles.values() if object == "deal" else ()))

    def reads_more_than(self, earlier: "Mapping") -> bool:
        """Whether this mapping reads fields that the earlier one did not: records do not have these yet."""
        if (self.objects, self.rules, self.items) != (earlier.objects, earlier.rules, earlier.items):
            return True
        return bool(self.reads_more_of(earlier))

    def reads_more_of(self, earlier: "Mapping") -> list[str]:
        """The objects of which this mapping reads fields that the earlier one did not."""
        kinds = {"deal", *self.properties, *self.fields}
        return sorted(kind for kind in kinds if self.extra_fields(kind) - earlier.extra_fields(kind))


def changed(configured: Mapped[str, Any], wanted: Mapped[str, Any]) -> dict[str, Any]:
    """The configuration with what is wanted of it; what is absent stays, None restores a default."""
    return {name: value for name, value in {**configured, **wanted}.items() if value is not None}


# Any: configuration as it is stored, which the schema of sources has checked.
def mapping_of(configured: Mapped[str, Any], defaults: Mapped[str, Any], time_zone: str) -> Mapping:
    """The mapping; what is not configured is as the system has it by default, else as all have."""
    known = {each.name for each in fields(Mapping)}
    told = {**defaults, **configured}
    given = {name: _read(name, value) for name, value in told.items() if name in known}
    if "credit_correction_days" in configured:
        given["credit_correction"] = timedelta(days=configured["credit_correction_days"])
    return Mapping(time_zone=time_zone, **given)


def _read(name: str, value: Any) -> Any:
    if name == "rules":
        return tuple(map(rule_of, value))
    if name == "properties":
        return {kind: {to: PropertyFrom(**told) for to, told in each.items()} for kind, each in value.items()}
    if name == "customer":
        return tuple(value)
    return frozenset(value) if isinstance(value, list) else value
