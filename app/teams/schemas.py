"""Wire shapes of members, teams, identities and what is dated about them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import MISSING, ConfigDict, Field, JsonValue, StringConstraints

from app.calendars.schemas import Country, Day
from app.core.pagination import PageQuery
from app.core.schemas import ExactDecimal, Input, Name, Output, Page, Text

Kind = Literal["member", "lead"]
Email = Annotated[Text, StringConstraints(max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")]
ExternalId = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
Prefix = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
Fte = Annotated[ExactDecimal, Field(gt=0, le=1, max_digits=5, decimal_places=4)]

# What the same field says wherever it stands.
FROM = "First day; null: since ever."
TO = "The first day that does not belong any more; null: open-ended."
VERSION = "Grows with each change; `If-Match` guards changes by it."
RECORDED = "When Paceline came to know of it: answers as of an earlier instant do not."
ARCHIVED = "When it was archived: no longer offered in lists, its past stays."
NOW = "On the organization's present day."


def examples(*bodies: dict[str, JsonValue]) -> ConfigDict:
    """Configuration of an input with true examples."""
    return ConfigDict(json_schema_extra={"examples": list(bodies)})


class Span(Output):
    """The days for which something dated holds."""

    id: UUID = Field(description="Identifier; it stays when the thing is changed.")
    valid_from: date | None = Field(description=FROM, examples=["2026-01-01"])
    valid_to: date | None = Field(description=TO, examples=["2026-07-15"])
    recorded_at: datetime = Field(description="When this was recorded: answers as of an earlier instant differ.")


class TeamOfMember(Output):
    """A team in which a member is."""

    id: UUID = Field(description="The team.")
    name: str = Field(description="Its name.", examples=["North"])
    kind: Kind = Field(description="Whether the member leads it.")


class Member(Output):
    """A person in the sales organization."""

    id: UUID = Field(description="Identifier of the member.")
    name: str = Field(description="What people call them.", examples=["Ada Nowak"])
    email: str | None = Field(description="Their address.", examples=["ada@example.com"])
    recorded_at: datetime = Field(description=RECORDED)
    archived_at: datetime | None = Field(description=ARCHIVED)
    version: int = Field(description=VERSION, examples=[1])


class MemberDetail(Member):
    """A member with the teams they are in now."""

    teams: list[TeamOfMember] = Field(description=f"The teams they are in. {NOW}")


class MemberCreate(Input):
    """A new member."""

    model_config = examples({"name": "Ada Nowak", "email": "ada@example.com"})

    name: Name = Field(description="What people call them.")
    email: Email | None = Field(default=None, description="Their address.")


class MemberUpdate(Input):
    """What changes; absent fields stay."""

    model_config = examples({"name": "Ada Nowak-Lis"})

    name: Name | MISSING = Field(default=MISSING, description="What people call them.")
    email: Email | MISSING | None = Field(default=MISSING, description="Their address; null clears it.")
    is_archived: bool | MISSING = Field(default=MISSING, description="False brings an archived member back.")


class MembersQuery(PageQuery):
    """Which members."""

    name: Prefix | None = Field(default=None, description="Only those whose name begins so; case does not matter.")
    team_id: UUID | None = Field(default=None, description="Only those directly in this team on the day `on`.")
    on: Day | None = Field(default=None, description="The day for `team_id`; default the organization's present day.")
    is_archived: bool = Field(default=False, description="The archived ones instead.")


class MemberPage(Page[Member]):
    """A page of members, by name."""


class AssignmentCreate(Input):
    """What a member does, for whom and how much, for some days."""

    model_config = examples(
        {"revenue_role": "account_executive", "country": "PL", "fte": "0.8", "valid_from": "2026-01-01"}
    )

    revenue_role: Name | None = Field(default=None, description="Their role in selling, such as `account_executive`.")
    manager_id: UUID | None = Field(default=None, description="The member who manages them.")
    country: Country | None = Field(default=None, description="ISO 3166-1 code of the country they work in.")
    fte: Fte = Field(default=Decimal(1), description="Part of a full-time job, over 0 up to 1; default 1.")
    calendar_id: UUID | None = Field(default=None, description="Their work calendar; null: the organization's.")
    valid_from: Day | None = Field(default=None, description=FROM)
    valid_to: Day | None = Field(default=None, description=TO)


class AssignmentUpdate(Input):
    """What changes; absent fields stay, null clears."""

    model_config = examples({"valid_to": "2026-07-01"})

    revenue_role: Name | MISSING | None = Field(default=MISSING, description="Their role in selling.")
    manager_id: UUID | MISSING | None = Field(default=MISSING, description="The member who manages them.")
    country: Country | MISSING | None = Field(default=MISSING, description="ISO 3166-1 code of their country.")
    fte: Fte | MISSING = Field(default=MISSING, description="Part of a full-time job, over 0 up to 1.")
    calendar_id: UUID | MISSING | None = Field(default=MISSING, description="Their work calendar.")
    valid_from: Day | MISSING | None = Field(default=MISSING, description=FROM)
    valid_to: Day | MISSING | None = Field(default=MISSING, description=TO)


class Assignment(Span):
    """What a member does, for whom and how much, for some days; one at a time."""

    member_id: UUID = Field(description="The member.")
    revenue_role: str | None = Field(description="Their role in selling.", examples=["account_executive"])
    manager_id: UUID | None = Field(description="The member who manages them.")
    country: str | None = Field(description="ISO 3166-1 code of the country they work in.", examples=["PL"])
    fte: ExactDecimal = Field(description="Part of a full-time job, over 0 up to 1.", examples=["0.8"])
    calendar_id: UUID | None = Field(description="Their work calendar; null: the organization's.")


class AssignmentPage(Page[Assignment]):
    """A page of assignments, in time order."""


class Team(Output):
    """A team of the tree."""

    id: UUID = Field(description="Identifier of the team.")
    name: str = Field(description="What people call it.", examples=["North"])
    parent_id: UUID | None = Field(description="The team it stands under on the day asked for; null: at the top.")
    recorded_at: datetime = Field(description=RECORDED)
    archived_at: datetime | None = Field(description=ARCHIVED)
    version: int = Field(description=VERSION, examples=[1])


class TeamCreate(Input):
    """A new team."""

    model_config = examples({"name": "North"})

    name: Name = Field(description="What people call it.")
    parent_id: UUID | None = Field(default=None, description="The team it stands under; null: at the top.")
    placed_from: Day | None = Field(
        default=None, description="Since when it stands under `parent_id`; null: since ever. Before it, at the top."
    )


class TeamUpdate(Input):
    """What changes; absent fields stay. To move a team, post a placement."""

    model_config = examples({"name": "North and East"})

    name: Name | MISSING = Field(default=MISSING, description="What people call it.")
    is_archived: bool | MISSING = Field(default=MISSING, description="False brings an archived team back.")


class TeamsQuery(PageQuery):
    """Which teams."""

    name: Prefix | None = Field(default=None, description="Only those whose name begins so; case does not matter.")
    parent_id: UUID | None = Field(default=None, description="Only those directly under this team on the day `on`.")
    on: Day | None = Field(default=None, description="The day for `parent_id`; default the organization's present day.")
    is_archived: bool = Field(default=False, description="The archived ones instead.")


class TeamPage(Page[Team]):
    """A page of teams, by name."""


class TeamPlacementCreate(Input):
    """A team's move to another place in the tree."""

    model_config = examples({"parent_id": "{parent_id}", "valid_from": "2026-07-01"})

    parent_id: UUID | None = Field(description="The team it stands under; null: at the top.")
    valid_from: Day | None = Field(default=None, description=FROM)


class TeamPlacement(Span):
    """A team's place in the tree for some days."""

    team_id: UUID = Field(description="The team.")
    parent_id: UUID | None = Field(description="The team it stands under; null: at the top.")


class TeamPlacementPage(Page[TeamPlacement]):
    """A page of a team's places, in time order; on a day without one it is at the top."""


class MembershipCreate(Input):
    """A member's time in a team."""

    model_config = examples({"member_id": "{member_id}", "kind": "member", "valid_from": "2026-01-01"})

    member_id: UUID = Field(description="Who.")
    kind: Kind = Field(default="member", description="`lead` for who leads the team.")
    valid_from: Day | None = Field(default=None, description=FROM)
    valid_to: Day | None = Field(default=None, description=TO)


class MembershipUpdate(Input):
    """What changes; absent fields stay, null clears."""

    model_config = examples({"valid_to": "2026-07-15"})

    kind: Kind | MISSING = Field(default=MISSING, description="`lead` for who leads the team.")
    valid_from: Day | MISSING | None = Field(default=MISSING, description=FROM)
    valid_to: Day | MISSING | None = Field(default=MISSING, description=TO)


class Membership(Span):
    """A member's time in a team; never twice at once in the same team."""

    team_id: UUID = Field(description="The team.")
    member_id: UUID = Field(description="The member.")
    member_name: str = Field(description="The member's name.", examples=["Ada Nowak"])
    kind: Kind = Field(description="`lead` for who leads the team.")


class MembershipsQuery(PageQuery):
    """Which memberships."""

    on: Day | None = Field(default=None, description="Only those that hold on this day.")
    member_id: UUID | None = Field(default=None, description="Only this member's.")


class MembershipPage(Page[Membership]):
    """A page of memberships, in time order."""


IdentityKind = Literal["person", "queue", "team"]


class IdentityCreate(Input):
    """A person as a source knows them."""

    model_config = examples({"source_id": "{source_id}", "external_id": "7421", "email": "ada@example.com"})

    source_id: UUID = Field(description="The source.")
    external_id: ExternalId = Field(description="The source's id of the person, exactly as it writes it.")
    email: Email | None = Field(default=None, description="The address the source has.")
    name: Name | None = Field(default=None, description="The name the source has.")


class Identity(Output):
    """A person as a source knows them; events point to it, and mappings say which member it is."""

    id: UUID = Field(description="Identifier of the identity.")
    source_id: UUID = Field(description="The source.")
    external_id: str = Field(description="The source's id of the person.", examples=["7421"])
    email: str | None = Field(description="The address the source has.", examples=["ada@example.com"])
    name: str | None = Field(description="The name the source has.", examples=["Ada Nowak"])
    kind: IdentityKind = Field(description="Queues and teams own records in a CRM, and stand for no member.")
    recorded_at: datetime = Field(description="When Paceline first saw it.")


class IdentityMappingCreate(Input):
    """Which member an identity is, for some days; null on both ends: always."""

    model_config = examples({"member_id": "{member_id}"})

    member_id: UUID = Field(description="The member who gets its credits.")
    valid_from: Day | None = Field(default=None, description=FROM)
    valid_to: Day | None = Field(default=None, description=TO)


class IdentityMappingUpdate(Input):
    """What changes; absent fields stay, null clears a day."""

    model_config = examples({"valid_to": "2026-07-01"})

    member_id: UUID | MISSING = Field(default=MISSING, description="The member who gets its credits.")
    valid_from: Day | MISSING | None = Field(default=MISSING, description=FROM)
    valid_to: Day | MISSING | None = Field(default=MISSING, description=TO)


class IdentityMapping(Span):
    """Which member an identity is, for some days; the past follows without rewriting events (S6)."""

    identity_id: UUID = Field(description="The identity.")
    member_id: UUID = Field(description="The member who gets its credits.")


class IdentityMappingPage(Page[IdentityMapping]):
    """A page of mappings, in time order."""


class Candidate(Output):
    """A member whom an identity may be."""

    member_id: UUID = Field(description="The member.")
    name: str = Field(description="What the member is called.", examples=["Ada Nowak"])
    reason: Literal["email", "name", "initials"] = Field(
        description="What they have in common: the address, the name (without case, accents and order), or the last "
        "name with the first one's initial."
    )


class Suggestion(Output):
    """An identity that stands for no member yet, with the members whom it may be, the likeliest first."""

    identity: Identity = Field(description="Who is not mapped.")
    candidates: list[Candidate] = Field(description="Members who may be meant; none: nobody is alike.")
    is_clear: bool = Field(description="Whether exactly one member has its address, or exactly one its name.")


class SuggestionPage(Page[Suggestion]):
    """A page of suggestions, in the order in which Paceline first saw the identities."""


class SuggestionQuery(PageQuery):
    """Which identities."""

    source_id: UUID | None = Field(default=None, description="Only those of this source.")


class BulkMapping(Input):
    """One identity of a bulk mapping."""

    identity_id: UUID = Field(description="The identity.")
    member_id: UUID = Field(description="The member who gets its credits.")
    valid_from: Day | None = Field(default=None, description=FROM)
    valid_to: Day | None = Field(default=None, description=TO)


class BulkMappingCreate(Input):
    """Many identities at once; a bad one does not stop the rest."""

    model_config = examples({"mappings": [{"identity_id": "{identity_id}", "member_id": "{member_id}"}]})

    mappings: list[BulkMapping] = Field(min_length=1, max_length=1000, description="Who is whom.")


class BulkOutcome(Output):
    """What became of one of them."""

    identity_id: UUID = Field(description="The identity.")
    outcome: Literal["mapped", "rejected"] = Field(description="Whether it stands for the member now.")
    mapping_id: UUID | None = Field(description="The mapping that was made.")
    problem: str | None = Field(description="Why not.")


class BulkMappingResult(Output):
    """What became of each, in the order in which they were given."""

    items: list[BulkOutcome] = Field(description="One for each.")
    mapped: int = Field(description="How many stand for a member now.")
