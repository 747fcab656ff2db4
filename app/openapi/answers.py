"""True answers, recorded by `tests/contract/record.py` from requests with the documented examples."""

import json
from functools import lru_cache
from pathlib import Path

from app.openapi.schemas import Json

RECORDED = Path(__file__).parent / "answers.json"


def recorded(operation_id: str, status: str) -> Json:
    """The answer of an operation, or None where none was recorded."""
    return _all().get(operation_id, {}).get(status)


@lru_cache(maxsize=1)
def _all() -> Json:
    return json.loads(RECORDED.read_text(encoding="utf-8"))
