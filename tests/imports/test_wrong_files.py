"""Files that cannot be imported: told at once, by a problem that says where or names the limit; nothing stays."""

import io
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import func, select
from starlette.requests import ClientDisconnect

from app.core.problems import MEDIA_TYPE
from app.imports import sheets
from app.imports.models import Import, ImportChunk
from tests.imports.posting import CSV, XLSX, imported, post, table, workbook
from tests.support import Api

GOOD = "external_id,type,occurred_at\na,call.made,2026-07-10T09:00:00Z\n"


def repacked(parts: dict[str, bytes], *, without: str = "") -> bytes:
    """A good workbook with some of its parts replaced."""
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook([["external_id", "type"], ["a", "b"]]))) as good,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as bad,
    ):
        for name in good.namelist():
            if name != without:
                bad.writestr(name, parts.get(name, good.read(name)))
        for name in parts.keys() - set(good.namelist()):
            bad.writestr(name, parts[name])
    return made.getvalue()


def sheet_of(rows: str, *, head: str = "") -> bytes:
    """The XML of a sheet."""
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'{head}<worksheet xmlns="{space}"><sheetData>{rows}</sheetData></worksheet>'.encode()


SHEET = "xl/worksheets/sheet1.xml"


def with_strings(strings: str, *, head: str = "") -> bytes:
    """A workbook whose cells share these texts, as most programs write them."""
    space = "http://schemas.openxmlformats.org/"
    kinds = f"{space}officeDocument/2006/relationships"
    relations = (
        f'<Relationships xmlns="{space}package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{kinds}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="rId9" Type="{kinds}/sharedStrings" Target="sharedStrings.xml"/></Relationships>'
    )
    cells = "".join(f'<row r="{row}"><c r="A{row}" t="s"><v>{row - 1}</v></c></row>' for row in (1, 2))
    return repacked(
        {
            "xl/_rels/workbook.xml.rels": relations.encode(),
            "xl/sharedStrings.xml": f'{head}<sst xmlns="{space}spreadsheetml/2006/main">{strings}</sst>'.encode(),
            SHEET: sheet_of(cells),
        }
    )


ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
FILES: dict[str, tuple[bytes | str, str, str]] = {
    "empty": ("", "file-not-understood", "empty"),
    "only a header": ("external_id,type,occurred_at\n", "file-not-understood", "no rows"),
    "misspelt": ("external_id,type,ocurred_at\na,b,c\n", "file-not-understood", "did you mean 'occurred_at'?"),
    "missing": ("type,occurred_at\na,b\n", "file-not-understood", "external_id is missing"),
    "twice": ("external_id,type,Type\na,b,c\n", "file-not-understood", "more than once"),
    "too many columns": (",".join(f"c{n}" for n in range(400)) + "\n", "file-not-readable", "at most 300"),
    "not UTF-8": (
        GOOD.encode() + b"b\xff\xfe,call.made,x\n",
        "file-not-readable",
        "Line 3 of the file is not",
    ),
    "NUL": (GOOD + "b\x00,call.made,2026-07-10\n", "file-not-readable", "NUL"),
    "open quote": (GOOD + '"b,' + "x" * 200_000, "file-not-readable", "quotation mark is open"),
    "endless line": (GOOD + "x" * 1_200_000, "file-not-readable", "longer than 1000000"),
    "long cell": (GOOD + "b," + "x" * 40_000 + ",\n", "file-not-readable", "32767"),
    "no archive": (b"PK\x03\x04nonsense", "file-not-readable", "no XLSX"),
    "another archive": (repacked({}, without="xl/workbook.xml"), "file-not-readable", "no XLSX"),
    "cut off": (workbook([["external_id"], ["a"]])[:-200], "file-not-readable", "no XLSX"),
    "DTD": (repacked({SHEET: sheet_of("", head=ENTITIES)}), "file-not-readable", "document type"),
    "DTD of the strings": (with_strings("<si><t>&b;</t></si>", head=ENTITIES), "file-not-readable", "document type"),
    "bomb of strings": (with_strings("<si/>" * 13_000_000), "file-not-readable", "200 times"),
    "broken XML": (repacked({SHEET: b"<worksheet><sheetData>"}), "file-not-readable", "broken"),
    "deep": (repacked({SHEET: sheet_of("<a>" * 100 + "</a>" * 100)}), "file-not-readable", "deeper than 32"),
    "bomb": (repacked({SHEET: sheet_of(" " * 30_000_000)}), "file-not-readable", "200 times"),
    "bomb beside": (repacked({"xl/media/x.png": b"0" * 30_000_000}), "file-not-readable", "200 times"),
    "wide": (
        repacked({SHEET: sheet_of('<row r="1"><c r="ZZZ1"><v>1</v></c></row>')}),
        "file-not-readable",
        "more than 300 columns",
    ),
    "far": (repacked({SHEET: sheet_of('<row r="999999999"><c><v>1</v></c></row>')}), "file-not-readable", "1048576"),
    "backwards": (
        repacked({SHEET: sheet_of('<row r="2"><c><v>1</v></c></row><row r="1"><c><v>1</v></c></row>')}),
        "file-not-readable",
        "in their order",
    ),
    "text that is not there": (
        repacked({SHEET: sheet_of('<row><c t="s"><v>99</v></c></row>')}),
        "file-not-readable",
        "not in the file",
    ),
    "long inline cell": (
        repacked({SHEET: sheet_of(f'<row><c t="inlineStr"><is><t>{"x" * 40_000}</t></is></c></row>')}),
        "file-not-readable",
        "32767",
    ),
}


@pytest.mark.parametrize("name", FILES)
async def test_a_wrong_file_is_refused_and_leaves_nothing(api: Api, name: str) -> None:
    body, code, told = FILES[name]
    problem = await post(api, body, "events", expect=422)
    assert problem["type"] == f"/problems/{code}"
    assert told in problem["detail"]
    assert await stored(api) == (0, 0)


async def stored(api: Api) -> tuple[int, int]:
    """How many imports and parts of files there are."""
    async with api.world.database.read(api.org_id) as session:
        imports = select(func.count()).select_from(Import).where(Import.org_id == api.org_id)
        chunks = select(func.count()).select_from(ImportChunk).where(ImportChunk.org_id == api.org_id)
        return (await session.execute(imports)).scalar_one(), (await session.execute(chunks)).scalar_one()


async def test_too_much_text_is_refused_by_the_limit(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MAX_STRINGS", 100)
    body = with_strings("<si><t>external_id</t></si><si><t>a</t></si>")
    assert "more than 100 bytes" in (await post(api, body, "events", expect=422))["detail"]


async def test_texts_that_cells_share_are_read(api: Api) -> None:
    team = "<si><r><t>No</t></r><r><t xml:space='preserve'>rth _x000D_</t></r><rPh><t>said</t></rPh></si>"
    body = with_strings(f"<si><t>team</t></si>{team}")
    assert (await imported(api, body, "teams"))["counts"] == {"created": 1}
    assert [each["name"] for each in (await api.get("/teams"))["items"]] == ["North"]


async def test_a_broken_upload_leaves_nothing(api: Api) -> None:
    async def breaks_off() -> AsyncIterator[bytes]:
        yield GOOD.encode()
        raise ClientDisconnect

    response = await api.client.post(
        "/v1/imports", params={"kind": "events"}, content=breaks_off(), headers={"Content-Type": CSV}
    )
    assert response.status_code == 499
    assert await stored(api) == (0, 0)


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data", None])
async def test_another_media_type_is_refused(api: Api, kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}
    response = await api.client.post("/v1/imports", params={"kind": "events"}, content=b"[]", headers=headers)
    assert (response.status_code, response.headers["content-type"]) == (415, MEDIA_TYPE)


async def test_a_workbook_sent_as_csv_is_told_so(api: Api) -> None:
    response = await api.client.post(
        "/v1/imports", params={"kind": "events"}, content=workbook([["a"]]), headers={"Content-Type": CSV}
    )
    assert response.status_code == 422
    assert "XLSX" in response.json()["detail"]


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({"kind": "deals"}, "?kind"),
        ({"kind": "events", "source": "nowhere"}, "?source"),
        ({"kind": "members", "source": "api"}, "?source"),
        ({"kind": "records"}, "?source"),
        ({"kind": "records", "source": "api"}, "?source"),
        ({"kind": "events", "format": "xlsx"}, "?format"),
        ({"kind": "events", "unknown": "1"}, "?unknown"),
    ],
)
async def test_wrong_parameters_are_named(api: Api, params: dict[str, Any], pointer: str) -> None:
    problem = await post(api, GOOD, **params, expect=422)
    assert problem["errors"][0]["pointer"] == pointer


async def test_a_file_beyond_the_limit_is_refused(api: Api) -> None:
    headers = {"Content-Type": XLSX, "Content-Length": "500000001"}

    async def nothing() -> AsyncIterator[bytes]:
        yield b""

    response = await api.client.post("/v1/imports", params={"kind": "events"}, content=nothing(), headers=headers)
    assert response.status_code == 413
    assert "500000000 bytes" in response.json()["detail"]


async def test_columns_nobody_knows_can_be_ignored(api: Api) -> None:
    lines = [["external_id", "type", "occurred_at", "comment"], ["a", "call.made", "2026-07-10", "so what"]]
    told = await post(api, table(lines), "events", unknown_columns="ignore")
    assert told["columns"][3] == {"header": "comment", "column": None}


async def test_a_long_file_that_cannot_be_read_to_its_end_is_not_begun(api: Api) -> None:
    lines = [["external_id", "type", "occurred_at"], *[[f"e{n}", "call.made", "2026-07-10"] for n in range(3_000)]]
    told = await imported(api, table(lines).encode() + b"x,call.made,\xff\n", "events")
    assert (told["state"], told["done"], told["counts"]) == ("failed", 0, {})
    assert "Line 3002 of the file is not UTF-8" in told["error"]
    assert (await api.get("/events"))["items"] == []
    assert (await stored(api)) == (1, 0)
