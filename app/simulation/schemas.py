"""Wire shapes of a simulated webhook call."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from app.core.schemas import Input, Output, Text
from app.events.schemas import Event
from app.integrations.preview_schemas import EventChange
from app.integrations.schemas import ItemVerdict, Link, MappingConfig, Verdict
from app.results.analysis_schemas import KpiOf
from app.results.preview_schemas import MovedFigure
from app.results.schemas import Subject, Window

_EXAMPLE: JsonValue = {
    "body": '[{"eventId":3100000002,"subscriptionId":2200002,"portalId":44556677,"appId":8123456,'
    '"occurredAt":1783933505000,"subscriptionType":"deal.propertyChange","attemptNumber":0,"objectId":19200000001,'
    '"propertyName":"dealstage","propertyValue":"closedwon","changeSource":"CRM_UI"}]',
    "mapping": {"won_stages": ["closedwon", "48591"]},
}


class SimulatedCall(Input):
    """A webhook call, as its system sends it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    body: Text = Field(description="The exact body, as text or in Base64.", repr=False)
    encoding: Literal["text", "base64"] = Field(default="text", description="How `body` is written here.")
    headers: dict[
        Annotated[Text, StringConstraints(max_length=200)], Annotated[Text, StringConstraints(max_length=8_000)]
    ] = Field(
        default_factory=dict,
        max_length=100,
        description="Headers that prove it, or say what it is. They are neither kept nor shown again.",
        repr=False,
    )
    query: Text = Field(
        default="", max_length=8_000, description="What followed the question mark of the address.", repr=False
    )
    method: Literal["POST", "PUT"] = Field(default="POST", description="How it is sent; signatures may cover it.")
    mapping: MappingConfig = Field(
        default_factory=MappingConfig,
        description="A change of the mapping to try with it: absent fields are as configured.",
    )


class SimulatedItem(ItemVerdict):
    """What would become of one message of the call."""

    told_before: bool = Field(description="Whether all that it says is known already: it changes nothing.")


class FieldChange(Output):
    """A field of a record that would change."""

    field: str = Field(description="Its name in the CRM.", examples=["dealstage"])
    before: str | bool | None = Field(description="Its latest value now.")
    after: str | bool | None = Field(description="Its latest value with the call.")


class SimulatedRecord(Output):
    """A record that the call says something about."""

    object: str = Field(description="What it is.", examples=["deal"])
    external_id: str = Field(description="Its id in the CRM.", examples=["19200000001"])
    is_new: bool = Field(description="Whether Paceline had not heard of it.")
    is_deleted: bool = Field(description="Whether it is deleted with the call.")
    merged_into: str | None = Field(description="The object that it is merged into with the call.")
    fields: list[FieldChange] = Field(description="The fields whose latest value changes.")
    links: list[Link] = Field(description="What it is linked to with the call.")


class WantedObject(Output):
    """An object that would be fetched from the system, as the call only names it."""

    object: str = Field(description="What it is.", examples=["deal"])
    external_id: str = Field(description="Its id in the CRM.", examples=["19200000001"])


class SuspectedDuplicate(Output):
    """An event of another source that looks like the same fact: the same person, thing and moment."""

    external_id: str = Field(description="The event of this source.")
    other: Event = Field(description="The event of the other source.")


class Effect(MovedFigure):
    """What a KPI would say instead, of a month in which an event changes."""

    kpi: KpiOf = Field(description="The KPI.")
    subject: Subject = Field(description="The organization, or a member who is credited.")
    window: Window = Field(description="The month.")


class Simulation(Output):
    """What a webhook call would do; nothing of it was done."""

    is_authentic: bool | None = Field(
        description="Whether it is proved; null where nothing in it could, and the rest says what would follow if it "
        "were."
    )
    reason: str = Field(description="Why, in words.", examples=["An active secret proves it."])
    verdict: Verdict = Field(description="What would become of it.")
    error: str | None = Field(description="What is wrong with it as a whole.")
    items: list[SimulatedItem] = Field(description="What would become of each of its messages.")
    records: list[SimulatedRecord] = Field(description="What it says of which records, at most 100.")
    records_left_out: int = Field(description="How many more records there are.", ge=0)
    wanted: list[WantedObject] = Field(description="What would be fetched from the system.")
    events: list[EventChange] = Field(description="The events that would change, at most 200.")
    unchanged_events: list[Event] = Field(
        description="Events of these records that stay as they are, at most 200.",
    )
    events_left_out: int = Field(description="How many more events would change.", ge=0)
    suspected_duplicates: list[SuspectedDuplicate] = Field(
        description="Events of other sources that look like the same facts."
    )
    effects: list[Effect] = Field(
        description="Official KPIs and drafts that look at events of these types: before and after, for the "
        "organization and the members concerned."
    )
    kpis_left_out: list[str] = Field(
        description="Keys of KPIs that look at them and are not shown, or not for all months: they are many, or slow."
    )
