"""Configuration, read once from the environment (`PACELINE_…`)."""

from pathlib import Path
from typing import Literal

from pydantic import AnyHttpUrl, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.core.sealing import parse_keys


class Settings(BaseSettings):
    """Every limit, address and switch of the service; a wrong value stops the start with its name."""

    model_config = SettingsConfigDict(env_prefix="PACELINE_", extra="ignore", hide_input_in_errors=True)

    database_url: str | None = Field(None, description="Server for the app role; absent: the embedded PostgreSQL.")
    worker_database_url: str | None = Field(None, description="The same server for the worker role.")
    owner_database_url: str | None = Field(None, description="The same server for the owner role: migrations.")
    superuser_database_url: SecretStr | None = Field(
        None, description="The same server for one who may make roles and databases: `bootstrap` only."
    )
    data_dir: Path = Field(Path("var/paceline"), description="Where the embedded PostgreSQL keeps its data.")
    public_base_url: str = Field("http://127.0.0.1:8000", description="The address clients and CRMs use.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    manual_clock: bool = Field(False, description="Allows an organization to set its own clock: tests and demos.")
    encryption_keys: SecretStr | None = Field(
        None,
        description="Keys by which sources' secrets are kept, `id:base64key,id:base64key`: the first seals, all open. "
        "The embedded PostgreSQL has a key file of its own; elsewhere secrets are refused while there is no key.",
    )
    crm_addresses: dict[str, AnyHttpUrl] = Field(
        {},
        description="JSON, host to base URL: where requests to a CRM's host are sent instead, such as a proxy; `*` is "
        "any other host. The host itself then stands in `X-Forwarded-Host`.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "INFO", description="Lowest level that is logged."
    )

    pool_size: int = Field(
        10, ge=1, description="Connections a process keeps open, and as many more for what runs beside requests."
    )
    statement_timeout_ms: int = Field(15_000, ge=1, description="Longest a statement may run.")
    lock_timeout_ms: int = Field(10_000, ge=1, description="Longest a statement waits for a lock.")

    max_body_bytes: int = Field(10_000_000, ge=1, description="Largest request body.")
    max_hook_body_bytes: int = Field(4_000_000, ge=1, description="Largest webhook body.")
    request_seconds: float = Field(30.0, gt=0, description="Longest a request's body may take to arrive.")
    max_import_bytes: int = Field(
        500_000_000, ge=1, description="Largest file that is imported; it is on disk (TMPDIR) meanwhile."
    )
    import_seconds: float = Field(3600.0, gt=0, description="Longest a file that is imported may take to arrive.")
    max_json_depth: int = Field(32, ge=1, description="Deepest nesting of a JSON body.")
    max_batch_events: int = Field(5_000, ge=1, description="Most events in one batch.")
    max_result_cells: int = Field(50_000, ge=1, description="Most values in one answer of a result query.")
    max_streamed_cells: int = Field(5_000_000, ge=1, description="Most values in one answer that is streamed.")
    query_seconds_per_minute: float = Field(
        60.0,
        ge=0,
        description="Seconds that an organization's queries may compute in a minute, in each process; 0: no limit.",
    )
    use_partials: bool = Field(
        True, description="Whether figures that are kept ready answer queries; false: every answer is from events."
    )
    max_concurrent_queries: int = Field(
        8, ge=1, description="Queries of one organization that a process computes at once; others wait briefly."
    )
    max_concurrent_writes: int = Field(
        3, ge=1, description="Requests of one organization that write at once in a process; others wait briefly."
    )
    idempotency_hours: int = Field(24, ge=1, description="How long an `Idempotency-Key` is remembered.")
    directory_ttl_seconds: float = Field(30.0, ge=0, description="How long a key's organization is cached.")

    @field_validator("encryption_keys")
    @classmethod
    def _are_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_keys(value.get_secret_value())
        return value
