"""What tests of imports share: files, posted as people do, and worked on."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from openpyxl import Workbook

from app.imports.jobs import HANDLERS
from app.integrations.jobs import HANDLERS as OF_INTEGRATIONS
from app.worker import drain
from tests.support import Api

CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ALL = {**OF_INTEGRATIONS, **HANDLERS}


def table(lines: Iterable[Sequence[Any]], delimiter: str = ",") -> str:
    """A CSV of these lines."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(lines)
    return text.getvalue()


def workbook(lines: Iterable[Sequence[Any]]) -> bytes:
    """An XLSX of these lines, with their cells' own types."""
    book = Workbook()
    for line in lines:
        book.active.append(list(line))
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


async def post(api: Api, body: bytes | str, kind: str, *, expect: int = 202, **params: Any) -> Any:
    """Post a file; a workbook is known by how it begins."""
    content = body.encode() if isinstance(body, str) else body
    media_type = XLSX if content.startswith(b"PK") else CSV
    headers = {"Content-Type": media_type, **params.pop("headers", {})}
    response = await api.client.post("/v1/imports", content=content, params={"kind": kind, **params}, headers=headers)
    assert response.status_code == expect, response.text[:2000]
    return response.json()


async def work(api: Api) -> None:
    """Do all that is due."""
    await drain(api.world.worker_database, ALL)


async def imported(api: Api, body: bytes | str, kind: str, **params: Any) -> Any:
    """Post a file, have it worked on, and read how it went."""
    made = await post(api, body, kind, **params)
    await work(api)
    return await api.get(f"/imports/{made['id']}")


async def rejected(api: Api, import_id: str) -> list[dict[str, str]]:
    """The rows that were not taken."""
    return rows_of((await download(api, import_id)).decode("utf-8-sig"))


async def download(api: Api, import_id: str) -> bytes:
    """The report as it comes."""
    response = await api.call("GET", f"/imports/{import_id}/rejected", expect=200)
    assert response.headers["content-type"].startswith(CSV)
    return response.content


def rows_of(text: str) -> list[dict[str, str]]:
    """The rows of a CSV, whatever parts its cells."""
    delimiter = ";" if text.partition("\n")[0].count(";") else ","
    return list(csv.DictReader(io.StringIO(text), delimiter=delimiter))
