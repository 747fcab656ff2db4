"""Wire shapes of the credentials with which systems are asked. They go in, and never come out."""

from datetime import datetime
from typing import Annotated, Literal, Self, TypeVar

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from app.core.schemas import Input, Output, Text

Secret = Annotated[Text, StringConstraints(min_length=1, max_length=4000, pattern=r"^[!-~]+$")]
ClientId = Annotated[
    Text, StringConstraints(min_length=1, max_length=200, pattern=r"^[!-~]+$"), Field(description="The app's id.")
]
ClientSecret = Annotated[Secret, Field(description="The app's secret.")]
RefreshToken = Annotated[
    Secret, Field(description="From the app's installation by a user who may see all records. Renewed ones are kept.")
]
DataCenter = Literal["com", "eu", "in", "com.au", "jp", "ca", "sa", "com.cn"]

_Given = TypeVar("_Given", bound=Input)


class HubSpotCredentials(Input):
    """HubSpot: the token of a private app, or an OAuth app."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"system": "hubspot", "access_token": "pat-eu1-00000000-0000-0000-0000-000000"}]
        }
    )

    system: Literal["hubspot"] = Field(description="The source's system, which decides what else is given.")
    access_token: Secret | None = Field(default=None, description="Of a private app; needs the scopes for reading.")
    client_id: ClientId | None = None
    client_secret: ClientSecret | None = None
    refresh_token: RefreshToken | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        return _either(self, ("access_token",), ("client_id", "client_secret", "refresh_token"))


class PipedriveCredentials(Input):
    """Pipedrive: the API token of an administrator, or an OAuth app."""

    system: Literal["pipedrive"] = Field(description="The source's system, which decides what else is given.")
    api_token: Secret | None = Field(default=None, description="Of a user who may see all records.")
    client_id: ClientId | None = None
    client_secret: ClientSecret | None = None
    refresh_token: RefreshToken | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        return _either(self, ("api_token",), ("client_id", "client_secret", "refresh_token"))


class ZohoCredentials(Input):
    """Zoho CRM: a self client or server-based app, with its refresh token."""

    system: Literal["zoho"] = Field(description="The source's system, which decides what else is given.")
    client_id: ClientId
    client_secret: ClientSecret
    refresh_token: RefreshToken
    data_center: DataCenter = Field(description="The end of the address at which the account signs in.")


class SalesforceCredentials(Input):
    """Salesforce: a connected app, with a refresh token or by the client credentials flow (then with its secret)."""

    system: Literal["salesforce"] = Field(description="The source's system, which decides what else is given.")
    client_id: ClientId
    client_secret: ClientSecret | None = None
    refresh_token: RefreshToken | None = None
    host: Annotated[
        str, StringConstraints(max_length=200, pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)?\.my\.salesforce\.com$")
    ] = Field(description="The organization's own host (My Domain).", examples=["example.my.salesforce.com"])

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.refresh_token is None and self.client_secret is None:
            raise ValueError("Give a refresh_token, or the client_secret for the client credentials flow.")
        return self


class Dynamics365Credentials(Input):
    """Dynamics 365: an application user of the environment, by its app registration."""

    system: Literal["dynamics365"] = Field(description="The source's system, which decides what else is given.")
    tenant_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")] = (
        Field(description="The directory (tenant) of the app registration.")
    )
    client_id: ClientId
    client_secret: ClientSecret
    host: Annotated[
        str, StringConstraints(max_length=200, pattern=r"^[a-z0-9-]+\.(api\.)?crm[0-9]{0,2}\.dynamics\.(com|cn)$")
    ] = Field(description="The environment's host.", examples=["example.crm4.dynamics.com"])


class FxiaokeCredentials(Input):
    """Fxiaoke: an enterprise app with its permanent code, and an administrator in whose name data is read."""

    system: Literal["fxiaoke"] = Field(description="The source's system, which decides what else is given.")
    app_id: ClientId
    app_secret: ClientSecret
    permanent_code: Secret = Field(description="The enterprise's permanent code for the app.")
    corp_id: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_-]+$")] | None = (
        Field(default=None, description="The enterprise on the open platform; absent: as the system tells it.")
    )
    user_id: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_-]+$")] = Field(
        description="`openUserId` of an administrator who may see all records."
    )


AnyCredentials = Annotated[
    HubSpotCredentials
    | PipedriveCredentials
    | ZohoCredentials
    | SalesforceCredentials
    | Dynamics365Credentials
    | FxiaokeCredentials,
    Field(discriminator="system"),
]


class Credentials(Output):
    """What is known of a source's credentials, without themselves."""

    system: str = Field(description="The system that is asked.", examples=["hubspot"])
    fields: list[str] = Field(
        description="What was given, by name; empty: there are none.", examples=[["access_token"]]
    )
    created_at: datetime | None = Field(description="Since when there are some.")
    changed_at: datetime | None = Field(description="When they were last given.")
    last_used_at: datetime | None = Field(description="When the system last answered by them.")
    last_failed_at: datetime | None = Field(description="When the system could last not be asked.")
    last_failure: str | None = Field(
        description="Why; null since it answers again.",
        examples=["The credentials are refused (status 401, EXPIRED_AUTHENTICATION)."],
    )


class CredentialsCheck(Output):
    """Whether the system answers by the credentials that are kept."""

    is_ok: bool = Field(description="Whether it answers, for the source's own account.")
    account_id: str | None = Field(
        description="The account that answers, where the system tells.", examples=["44556677"]
    )
    problem: str | None = Field(description="What is to be mended; null if nothing is.")


def _either(given: _Given, *ways: tuple[str, ...]) -> _Given:
    """Refuse what is not exactly one of the ways, whole."""
    told = {name for way in ways for name in way if getattr(given, name) is not None}
    if told not in [set(way) for way in ways]:
        raise ValueError(f"Give either {' or '.join(', '.join(way) for way in ways)}, and nothing else.")
    return given
