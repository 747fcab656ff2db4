"""Requests that nobody thought of, made from the document: no 5xx, and no answer that the document does not tell.

A few per operation in CI, the same each time; `--hypothesis-profile=long` for many, of chance.
"""

import asyncio
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode

from tests.contract.document import DOCUMENT, OF_KEYS, Operation, named
from tests.contract.organization import Furnished
from tests.support import BASE

SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
EXAMPLES = max(5, settings().max_examples // 5)
IS_SHORT = EXAMPLES == 5


@pytest.mark.parametrize("operation", OF_KEYS, ids=named)
async def test_any_request_gets_a_documented_answer(
    strangers: tuple[Furnished, Furnished], operation: Operation
) -> None:
    ours, _ = strangers
    loop = asyncio.get_running_loop()

    def ask(case: Any) -> httpx.Response:
        return asyncio.run_coroutine_threadsafe(_send(ours, case), loop).result(60)

    await asyncio.to_thread(_search, operation, ours, ask)


def _search(operation: Operation, ours: Furnished, ask: Any) -> None:
    told = SCHEMA[operation.path][operation.method]
    modes = [GenerationMode.POSITIVE, *([GenerationMode.NEGATIVE] if told.body or told.query else [])]
    cases = st.one_of(*[told.as_strategy(generation_mode=mode) for mode in modes])
    known = {name: ours.ids[name] for name in operation.path_ids}

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=IS_SHORT,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, is_known=st.booleans())
    def search(case: Any, is_known: bool) -> None:
        if is_known:
            case.path_parameters = known
        response = ask(case)
        assert response.status_code < 500, response.text
        operation.check(response)

    search()


async def _send(furnished: Furnished, case: Any) -> httpx.Response:
    made: Any = requests.Request(**case.as_transport_kwargs(base_url=BASE)).prepare()
    headers = [
        (name, value if isinstance(value, bytes) else value.encode("latin-1")) for name, value in made.headers.items()
    ]
    headers = [*headers, ("Authorization", f"Bearer {furnished.api.token}")]
    return await furnished.api.client.request(made.method, made.url, headers=headers, content=made.body)
