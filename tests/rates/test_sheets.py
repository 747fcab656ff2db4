"""Rates as CSV: what spreadsheets write is read, and what could be meant in two ways is refused with its line (S26)."""

from typing import Any

import pytest

from app.rates.accepting import prefers
from app.rates.sheets import MAX_LINES, SheetError, read_sheet, write_sheet
from tests.rates.test_rates import DAILY, PLAN, RATE, YEAR
from tests.support import Api

HEADER = "set,base,quote,valid_from,valid_to,rate"
FRIDAY = {"set": "daily", "base": "EUR", "quote": "USD", "valid_from": "2026-07-10", "rate": "1.10"}


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}\ndaily,EUR,USD,2026-07-10,,1.10",
        f"{HEADER}\r\ndaily,EUR,USD,2026-07-10,,1.10\r\n\r\n",
        f"\ufeff{HEADER}\ndaily,EUR,USD,2026-07-10,,1.10\n",
        "Rate;Valid_From;Quote;Base;Set\n1.10;2026-07-10;USD;EUR;daily\n",
        "rate;valid_from;quote;base;set\n1,10;2026-07-10;USD;EUR;daily\n",
        "rate\tvalid_from\tquote\tbase\tset\n1.10\t2026-07-10\tUSD\tEUR\tdaily\n",
        '\n"set","base","quote","valid_from","valid_to","rate"\n"daily","EUR","USD","2026-07-10",""," 1.10 "\n,,,,,\n',
        f'{HEADER}\ndaily,EUR,USD,2026-07-10,,"1,10"\n',
    ],
)
def test_what_spreadsheets_write_is_read(text: str) -> None:
    assert [dict(line.cells) for line in read_sheet(text.encode())] == [FRIDAY]


def test_a_line_is_numbered_as_an_editor_does() -> None:
    assert [line.number for line in read_sheet(f"\n{HEADER}\n\na,b,c,d,e,f\ng,h,i,j,k,l".encode())] == [4, 5]


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"", 1, "begin with the header"),
        (b"\n\n", 1, "begin with the header"),
        (b"daily,EUR,USD,2026-07-10,,1.10", 1, "'daily' is no column"),
        (b"set,base,quote\n", 1, "lacks valid_from, rate"),
        (b"set,base,quote,valid_from,rate,rate\n", 1, "twice"),
        (b"set;base;quote;valid_from;valid_to,rate\n", 1, "mixes"),
        (f"{HEADER}\ndaily,EUR\n".encode(), 2, "has 2 cells, the header 6"),
        (f'{HEADER}\n"daily,EUR\n'.encode(), 2, "cannot be read as CSV"),
        (f"{HEADER}\n".encode() + b"daily,EUR,USD,2026-07-10,,\xff", 2, "is not UTF-8"),
        (HEADER.encode("utf-16"), 1, "is UTF-16"),
        (b"set;base;quote;valid_from;rate\na;b;c;d;1.10\na;b;c;e;1,234\n", 3, "group thousands"),
        (b"set;base;quote;valid_from;rate\na;b;c;d;1.234,50\n", 2, "group thousands"),
        (f"{HEADER}\n".encode() + b"a,b,c,d,e,1\n" * (MAX_LINES + 1), MAX_LINES + 2, "in parts"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(content: bytes, line: int, words: str) -> None:
    with pytest.raises(SheetError) as refused:
        read_sheet(content)
    assert refused.value.line == line
    assert words in refused.value.message


def test_what_is_written_is_read_again() -> None:
    text = write_sheet([("daily", "EUR", "USD", "2026-07-10", None, "1.10")])
    assert text == f"{HEADER}\r\ndaily,EUR,USD,2026-07-10,,1.10\r\n"
    assert [dict(line.cells) for line in read_sheet(text.encode())] == [FRIDAY]


@pytest.mark.parametrize(
    ("accept", "csv"),
    [
        ("text/csv", True),
        ("TEXT/CSV; charset=utf-8", True),
        ("application/json;q=0.5, text/csv", True),
        ("text/*", True),
        ("text/csv;q=0.5, */*", False),
        ("*/*", False),
        ("application/json", False),
        ("text/csv;q=0", False),
        ("text/csv;q=x, application/json;q=0.1", False),
        ("", False),
    ],
)
def test_the_caller_chooses_the_form(accept: str, csv: bool) -> None:
    assert prefers(accept, "text/csv", over="application/json") is csv


@pytest.fixture
async def api(api: Api) -> Api:
    """An organization with a daily and a fixed set."""
    for new in (DAILY, PLAN):
        await api.post("/exchange-rates/sets", new, expect=201)
    return api


async def upload(api: Api, content: str | bytes, expect: int = 200) -> Any:
    answer = await api.call(
        "POST", "/exchange-rates/csv", content=content, headers={"Content-Type": "text/csv"}, expect=expect
    )
    return answer.json()


async def test_a_file_is_taken_and_answered_as_a_file_again(api: Api) -> None:
    await api.post("/exchange-rates", RATE, expect=201)
    text = (
        f"{HEADER}\r\ndaily,EUR,USD,2026-07-10,,1.1\r\ndaily,EUR,USD,2026-07-13,,1.12\r\n"
        "plan-2026,EUR,USD,2026-01-01,2027-01-01,0.000123456789\r\n"
    )
    assert await upload(api, text) == {"counts": {"created": 2, "unchanged": 1}}
    answer = await api.call("GET", "/exchange-rates", headers={"Accept": "text/csv"}, params={"limit": 1})
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text == text
    assert await upload(api, answer.content) == {"counts": {"unchanged": 3}}
    some = await api.call("GET", "/exchange-rates", headers={"Accept": "text/csv"}, params={"set": "plan-2026"})
    assert some.text == f"{HEADER}\r\nplan-2026,EUR,USD,2026-01-01,2027-01-01,0.000123456789\r\n"


async def test_a_file_is_taken_whole_or_not_at_all(api: Api) -> None:
    lines = [
        "daily,EUR,USD,2026-07-10,,1.10",
        "daily,EUR,EUR,2026-07-10,,1.10",
        "daily,EUR,USX,10.07.2026,,0",
        "daily,EUR,USD,2026-07-11,,",
    ]
    refused = await upload(api, "\n".join([HEADER, *lines]), expect=422)
    assert [error["pointer"] for error in refused["errors"]] == ["/lines/3/quote", "/lines/4/quote", "/lines/5/rate"]
    assert refused["errors"][0]["message"].startswith("Line 3 quote: must be another currency than base")
    assert "Nothing was stored" in refused["detail"]
    assert (await api.get("/exchange-rates"))["items"] == []


@pytest.mark.parametrize(
    ("lines", "pointer", "words"),
    [
        (["daily,EUR,USD,2026-07-10,,1.1", "daily,EUR,USD,2026-07-10,,1.2"], "/lines/3/valid_from", "line 2 has this"),
        (["unheard-of,EUR,USD,2026-07-10,,1.1"], "/lines/2/set", "POST /v1/exchange-rates/sets"),
        (
            ["plan-2026,EUR,USD,2026-07-10,,1.1", "plan-2026,EUR,USD,2026-08-10,,1.1"],
            "/lines/2/valid_from",
            "holds from 2026-08-10 on all days after",
        ),
        (["plan-2026,EUR,USD,2026-07-10,,1.1"], "/lines/2/valid_from", "until before 2027-01-01"),
    ],
)
async def test_rates_that_do_not_go_together_are_refused(api: Api, lines: list[str], pointer: str, words: str) -> None:
    if len(lines) == 1:
        await api.post("/exchange-rates", YEAR, expect=201)
    refused = await upload(api, "\n".join([HEADER, *lines]), expect=422)
    assert refused["errors"][0]["pointer"] == pointer
    assert words in refused["errors"][0]["message"]


async def test_a_file_may_begin_a_fixed_rate_in_a_line_before_the_one_that_ends_the_last(api: Api) -> None:
    await api.post("/exchange-rates", YEAR | {"valid_to": None}, expect=201)
    lines = ["plan-2026,EUR,USD,2026-07-01,,1.3", "plan-2026,EUR,USD,2026-01-01,2026-07-01,1.1"]
    answer = await upload(api, "\n".join([HEADER, *lines]))
    assert answer == {"counts": {"created": 1, "corrected": 1}}


async def test_a_file_of_another_type_is_refused(api: Api) -> None:
    await api.post("/exchange-rates/csv", {"rates": []}, expect=415)
    refused = await upload(api, b"", expect=422)
    assert refused["errors"][0]["pointer"] == "/lines/1"


async def test_a_large_file_is_taken(api: Api) -> None:
    lines = [
        f"daily,{base},{quote},20{year:02}-{month:02}-{day:02},,1.{day}"
        for base, quote in (("EUR", "USD"), ("GBP", "PLN"))
        for year in (24, 25, 26)
        for month in range(1, 13)
        for day in range(1, 29)
    ]
    assert await upload(api, "\n".join([HEADER, *lines])) == {"counts": {"created": 2016}}
    changed = [line.replace(",1.", ",2.") for line in lines[:1000]]
    assert await upload(api, "\n".join([HEADER, *changed, *lines[1000:]])) == {
        "counts": {"corrected": 1000, "unchanged": 1016}
    }
