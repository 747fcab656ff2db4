"""Configuration, read once from the environment (`PACELINE_…`)."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every limit, address and switch of the service; a wrong value stops the start with its name."""

    model_config = SettingsConfigDict(env_prefix="PACELINE_", extra="ignore")

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
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "INFO", description="Lowest level that is logged."
    )

    pool_size: int = Field(10, ge=1, description="Connections a process keeps open.")
    statement_timeout_ms: int = Field(15_000, ge=1, description="Longest a statement may run.")
    lock_timeout_ms: int = Field(10_000, ge=1, description="Longest a statement waits for a lock.")

    max_body_bytes: int = Field(10_000_000, ge=1, description="Largest request body.")
    max_hook_body_bytes: int = Field(4_000_000, ge=1, description="Largest webhook body.")
    request_seconds: float = Field(30.0, gt=0, description="Longest a request's body may take to arrive.")
    max_json_depth: int = Field(32, ge=1, description="Deepest nesting of a JSON body.")
    max_batch_events: int = Field(5_000, ge=1, description="Most events in one batch.")
    max_result_cells: int = Field(50_000, ge=1, description="Most values in one answer of a result query.")
    max_streamed_cells: int = Field(5_000_000, ge=1, description="Most values in one answer that is streamed.")
    query_seconds_per_minute: float = Field(
        60.0, ge=0, description="Seconds of computing that an organization's queries may take in a minute; 0: no limit."
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
