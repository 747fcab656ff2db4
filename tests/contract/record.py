"""Records true answers for the document: `python3 -m tests tests/contract/record.py`, then `python3 -m app openapi`.

Every documented request is sent to a furnished organization; its answer is kept with the document's identifiers. Not a
test by its name, so it runs only when it is asked for: when answers have changed their shape, or new operations came.
"""

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Any

import rfc8785

from app.openapi.answers import RECORDED
from app.openapi.schemas import example_id
from tests.contract.document import JSON, OF_KEYS, Operation
from tests.contract.organization import Furnished
from tests.contract.test_conditions import send
from tests.support import World

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TOKEN = re.compile(r"pl_[0-9a-f]{32}_[A-Za-z0-9_-]{43}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_EVIDENCE = re.compile(r'"evidence_digest": "[0-9a-f]{64}"')
_PREPARED = {"getReviewEvidence", "previewGoalTemplate", "previewGoalSplit"}
"""What changes nothing, and yet needs something done before."""
_NOW = "2026-07-13T10:00:00Z"


async def test_record_the_answers(world: World) -> None:
    furnished = Furnished(await world.organization())
    await furnished.everything()
    answers: dict[str, dict[str, Any]] = {}
    for operation, example in [(each, n) for each in OF_KEYS for n in range(len(each.asked))]:
        asked = furnished
        changes = operation.method not in {"GET", "POST"} or operation.changes_by_post
        if changes or operation.id in _PREPARED:
            asked = Furnished(await world.organization())
            await asked.prepare(operation)
        response = await send(asked, operation, {}, example)
        assert response.is_success, f"{operation.id}: {response.text}"
        if response.content and response.headers.get("content-type") == JSON:
            answer = _neutral(operation, response.json(), asked)
            answers.setdefault(operation.id, {}).setdefault(str(response.status_code), answer)
    text = json.dumps(answers, indent=1, sort_keys=True, ensure_ascii=False)
    digest = answers["getReviewEvidence"]["200"]["digest"]
    RECORDED.write_text(_EVIDENCE.sub(f'"evidence_digest": "{digest}"', text) + "\n", encoding="utf-8")


def _neutral(operation: Operation, answer: Any, furnished: Furnished) -> Any:
    """The answer with identifiers of the document, without secrets and without the time of the recording."""
    names = {id_: name for name, id_ in furnished.ids.items()}
    others: dict[str, str] = {}

    def replaced(found: re.Match[str]) -> str:
        id_ = found[0]
        if id_ in names or id_.startswith("01985e2c"):
            return example_id(names[id_]) if id_ in names else id_
        return others.setdefault(id_, example_id(f"{operation.id} {len(others)}"))

    text = _TOKEN.sub("pl_01985e2c000070008000000000000000_…", json.dumps(answer, sort_keys=True))
    told = json.loads(_INSTANT.sub(_instant, _UUID.sub(replaced, text)))
    if "digest_algorithm" in told:
        told["digest"] = hashlib.sha256(rfc8785.dumps(told["content"])).hexdigest()
    return told


def _instant(found: re.Match[str]) -> str:
    age = datetime.now(UTC) - datetime.fromisoformat(found[0])
    return _NOW if abs(age.total_seconds()) < 3600 else found[0]
