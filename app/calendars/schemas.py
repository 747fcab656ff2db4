"""Wire shapes of working calendars and named periods."""

import re
from datetime import date, datetime, time
from typing import Annotated, Self
from uuid import UUID

from pydantic import (
    MISSING,
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)
from pydantic.config import JsonDict

from app.calendars.periods import FIRST_YEAR, LAST_YEAR, is_form
from app.calendars.working import WorkInterval
from app.core.schemas import Input, Name, Output, Page, Text, TimeZoneName

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_OFFICE: JsonValue = [{"start": "09:00", "end": "17:00"}]
_EXAMPLE: JsonDict = {
    "name": "Poland",
    "weekdays": dict.fromkeys(WEEKDAYS[:5], _OFFICE),
    "country": "PL",
    "holidays": ["2026-12-31"],
    "extra_working_days": ["2026-12-12"],
    "is_default": True,
}


def _written_out(value: object) -> object:
    """Numbers and times are no days, although they could be read as such."""
    if isinstance(value, date) or (isinstance(value, str) and _ISO_DAY.fullmatch(value)):
        return value
    raise ValueError("must be a day such as 2026-07-14")


def _in_range(day: date) -> date:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}")
    return day


_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
Day = Annotated[date, BeforeValidator(_written_out), AfterValidator(_in_range)]
Days = Annotated[list[Day], Field(max_length=1000), AfterValidator(lambda days: sorted(set(days)))]
Country = Annotated[str, Field(pattern="^[A-Z]{2}$", description="ISO 3166-1 code whose public holidays are days off.")]
Subdivision = Annotated[Text, Field(min_length=1, max_length=20, description="Subdivision with holidays of its own.")]


class WorkingHoursInput(Input):
    """Working time between two clock times of one day."""

    start: str = Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="From.", examples=["09:00"])
    end: str = Field(
        pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", description="To, exclusive.", examples=["17:00"]
    )

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        interval(self.start, self.end)
        return self


Hours = Annotated[list[WorkingHoursInput], Field(max_length=10)]


class WeekdaysInput(Input):
    """Working time by weekday; a weekday that is absent is free."""

    monday: Hours = Field(default=[], description="Working time on Mondays.")
    tuesday: Hours = Field(default=[], description="Working time on Tuesdays.")
    wednesday: Hours = Field(default=[], description="Working time on Wednesdays.")
    thursday: Hours = Field(default=[], description="Working time on Thursdays.")
    friday: Hours = Field(default=[], description="Working time on Fridays.")
    saturday: Hours = Field(default=[], description="Working time on Saturdays.")
    sunday: Hours = Field(default=[], description="Working time on Sundays.")


def interval(start: str, end: str) -> WorkInterval:
    """The working time between two written clock times; raises `ValueError` where it runs backwards."""
    return WorkInterval(time.fromisoformat(start), time.fromisoformat(end.replace("24:", "00:")))


def _monday_to_friday() -> WeekdaysInput:
    return WeekdaysInput.model_validate(dict.fromkeys(WEEKDAYS[:5], _OFFICE))


class CalendarCreate(Input):
    """A new calendar."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Name = Field(description="What people call it.", examples=["Poland"])
    time_zone: TimeZoneName | None = Field(default=None, description="Zone of its hours; null: the organization's.")
    weekdays: WeekdaysInput = Field(
        default_factory=_monday_to_friday, description="Working time by weekday; default Monday to Friday, 9 to 17."
    )
    country: Country | None = None
    subdivision: Subdivision | None = None
    holidays: Days = Field(default=[], description="Further days off.", examples=[["2026-12-31"]])
    extra_working_days: Days = Field(
        default=[], description="Days that are worked although they are a weekend or a holiday."
    )
    is_default: bool = Field(default=False, description="Make it the organization's calendar.")


class CalendarUpdate(Input):
    """What changes; absent fields stay."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"holidays": ["2026-12-24", "2026-12-31"]}]})

    name: Name | MISSING = Field(default=MISSING, description="What people call it.")
    time_zone: TimeZoneName | MISSING | None = Field(default=MISSING, description="Null: the organization's.")
    weekdays: WeekdaysInput | MISSING = Field(default=MISSING, description="All weekdays anew.")
    country: Country | MISSING | None = MISSING
    subdivision: Subdivision | MISSING | None = MISSING
    holidays: Days | MISSING = Field(default=MISSING, description="All further days off anew.")
    extra_working_days: Days | MISSING = Field(default=MISSING, description="All extra working days anew.")
    is_default: bool | MISSING = Field(default=MISSING, description="Make it the organization's calendar, or not.")


class WorkingHours(Output):
    """Working time between two clock times of one day."""

    start: str = Field(description="From.", examples=["09:00"])
    end: str = Field(description="To, exclusive; 24:00 is the end of the day.", examples=["17:00"])


class Weekdays(Output):
    """Working time by weekday; a free one has none."""

    monday: list[WorkingHours] = Field(description="Working time on Mondays.")
    tuesday: list[WorkingHours] = Field(description="Working time on Tuesdays.")
    wednesday: list[WorkingHours] = Field(description="Working time on Wednesdays.")
    thursday: list[WorkingHours] = Field(description="Working time on Thursdays.")
    friday: list[WorkingHours] = Field(description="Working time on Fridays.")
    saturday: list[WorkingHours] = Field(description="Working time on Saturdays.")
    sunday: list[WorkingHours] = Field(description="Working time on Sundays.")


class Calendar(Output):
    """When people work: expected shares of goals and comparisons to date are measured by it (S21, S31)."""

    id: UUID = Field(description="Identifier of the calendar.")
    name: str = Field(description="What people call it.", examples=["Poland"])
    time_zone: str | None = Field(description="Zone of its hours; null: the organization's.")
    weekdays: Weekdays = Field(description="Working time by weekday.")
    country: str | None = Field(description="ISO 3166-1 code whose public holidays are days off.", examples=["PL"])
    subdivision: str | None = Field(description="Subdivision with holidays of its own.")
    holidays: list[date] = Field(description="Further days off.", examples=[["2026-12-31"]])
    extra_working_days: list[date] = Field(description="Days worked although a weekend or a holiday.")
    is_default: bool = Field(description="Whether it is the organization's calendar.")
    version: int = Field(description="Grows with each change; it is the ETag.", examples=[1])
    created_at: datetime = Field(description="When it was made.")
    recorded_at: datetime = Field(description="When its present content was recorded.")


class CalendarPage(Page[Calendar]):
    """A page of calendars."""


def _of_ones_own(key: str) -> str:
    if is_form(key):
        raise ValueError(f"{key} means something as a period already: choose another word")
    return key


PeriodKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,59}$"), AfterValidator(_of_ones_own)]


class NamedPeriodCreate(Input):
    """Days that the organization calls by a name."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "key": "spring_campaign",
                    "name": "Spring campaign",
                    "first_day": "2026-03-16",
                    "last_day": "2026-05-10",
                }
            ]
        }
    )

    key: PeriodKey = Field(
        description="The word to write as a `period`: lower case letters, digits and _. It does not change."
    )
    name: Name = Field(description="What people call it.")
    first_day: Day = Field(description="The first day that belongs to it.")
    last_day: Day = Field(description="The last day that belongs to it.")


class NamedPeriodUpdate(Input):
    """What changes; absent fields stay."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"last_day": "2026-05-17"}]})

    name: Name | MISSING = Field(default=MISSING, description="What people call it.")
    first_day: Day | MISSING = Field(default=MISSING, description="The first day that belongs to it.")
    last_day: Day | MISSING = Field(default=MISSING, description="The last day that belongs to it.")


class NamedPeriod(Output):
    """Days that the organization calls by a name."""

    id: UUID = Field(description="Identifier of the named period.")
    key: str = Field(description="The word to write as a `period`.", examples=["spring_campaign"])
    name: str = Field(description="What people call it.", examples=["Spring campaign"])
    first_day: date = Field(description="The first day that belongs to it.", examples=["2026-03-16"])
    last_day: date = Field(description="The last day that belongs to it.", examples=["2026-05-10"])
    version: int = Field(description="Grows with each change; it is the ETag.", examples=[1])
    created_at: datetime = Field(description="When it was made.")
    recorded_at: datetime = Field(description="When its present content was recorded.")


class NamedPeriodPage(Page[NamedPeriod]):
    """A page of named periods, in time order."""
