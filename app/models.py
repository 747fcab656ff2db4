"""Imports every domain's tables, so that Alembic and tests see the whole schema."""

import importlib
from pathlib import Path

from app.core import audit, clock, idempotency, jobs, outbox
from app.core.db import Base

for _file in sorted(Path(__file__).parent.glob("*/models.py")):
    importlib.import_module(f"app.{_file.parent.name}.models")

metadata = Base.metadata
__all__ = ["audit", "clock", "idempotency", "jobs", "metadata", "outbox"]
