"""The cast of the demo: who sells, in which team and for which days, and how well. All of them are invented."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

System = Literal["hubspot", "pipedrive"]

SALES, NORTH, SOUTH = "Sales", "North", "South"
PARENTS = {SALES: None, NORTH: SALES, SOUTH: SALES}
SYSTEMS: dict[str, System] = {SALES: "hubspot", NORTH: "hubspot", SOUTH: "pipedrive"}
"""South came with a company that was bought, and kept its CRM."""

MOVE_DAY = date(2026, 4, 15)
JOIN_DAY = date(2026, 3, 2)
LEAVE_DAY = date(2026, 6, 1)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who sells. `skill` is the share of closed deals they win, `haste` what slows answers (1: usual)."""

    name: str
    role: str
    team: str
    hubspot_id: str
    pipedrive_id: str
    skill: float = 0.3
    haste: float = 1.0
    joined: date | None = None
    left: date | None = None
    moved_to: str | None = None
    is_mapped: bool = True

    @property
    def email(self) -> str:
        """Their address, the same in both CRMs."""
        return f"{self.name.translate(_PLAIN).lower().replace(' ', '.')}@example.com"

    def team_on(self, day: date) -> str | None:
        """Their team on a day; None before they came and after they left."""
        if (self.joined and day < self.joined) or (self.left and day >= self.left):
            return None
        return self.moved_to if self.moved_to and day >= MOVE_DAY else self.team

    def system_on(self, day: date) -> System:
        """The CRM they work in on a day."""
        return SYSTEMS[self.team_on(day) or self.team]

    def id_in(self, system: System) -> str:
        """Who they are in a CRM."""
        return self.hubspot_id if system == "hubspot" else self.pipedrive_id


_PLAIN = str.maketrans("ąćęłńóśźżŁŚŻŹ", "acelnoszzLSZZ")

HEAD, LEAD, EXECUTIVE, DEVELOPMENT, SUCCESS = (
    "head_of_sales",
    "team_leader",
    "account_executive",
    "sales_development",
    "customer_success",
)

_CAST: tuple[tuple[str, str, str, float, float], ...] = (
    ("Halina Sikorska", HEAD, SALES, 0.45, 1.0),
    ("Olaf Brzeziński", SUCCESS, SALES, 0.55, 1.0),
    ("Iga Sobczak", SUCCESS, SALES, 0.50, 1.0),
    ("Marek Lewandowski", LEAD, NORTH, 0.42, 1.0),
    ("Anna Kowalczyk", EXECUTIVE, NORTH, 0.44, 0.8),
    ("Bartosz Zieliński", EXECUTIVE, NORTH, 0.36, 1.0),
    ("Celina Wójcik", EXECUTIVE, NORTH, 0.40, 1.1),
    ("Dawid Mazur", EXECUTIVE, NORTH, 0.27, 1.4),
    ("Ewa Krawczyk", EXECUTIVE, NORTH, 0.33, 1.0),
    ("Filip Adamczyk", EXECUTIVE, NORTH, 0.30, 1.2),
    ("Gabriela Dudek", DEVELOPMENT, NORTH, 0.3, 0.5),
    ("Hubert Pawlak", DEVELOPMENT, NORTH, 0.3, 0.9),
    ("Irena Walczak", DEVELOPMENT, NORTH, 0.3, 1.1),
    ("Jakub Stępień", DEVELOPMENT, NORTH, 0.3, 1.7),
    ("Katarzyna Górska", LEAD, SOUTH, 0.40, 1.0),
    ("Leon Rutkowski", EXECUTIVE, SOUTH, 0.38, 1.0),
    ("Maja Michalak", EXECUTIVE, SOUTH, 0.41, 0.9),
    ("Norbert Szewczyk", EXECUTIVE, SOUTH, 0.25, 1.5),
    ("Oliwia Ostrowska", EXECUTIVE, SOUTH, 0.34, 1.0),
    ("Paweł Tomaszewski", EXECUTIVE, SOUTH, 0.31, 1.1),
    ("Róża Pietrzak", DEVELOPMENT, SOUTH, 0.3, 0.7),
    ("Szymon Marciniak", DEVELOPMENT, SOUTH, 0.3, 1.0),
    ("Teresa Wróbel", DEVELOPMENT, SOUTH, 0.3, 1.3),
    ("Urszula Jabłońska", DEVELOPMENT, SOUTH, 0.3, 0.9),
    ("Wiktor Czarnecki", EXECUTIVE, SOUTH, 0.28, 1.2),
)
_MOVES = "Celina Wójcik"
_JOINS = "Urszula Jabłońska"
_LEAVES = "Wiktor Czarnecki"


def _member(number: int, told: tuple[str, str, str, float, float]) -> Person:
    name, role, team, skill, haste = told
    return Person(
        name=name,
        role=role,
        team=team,
        hubspot_id=str(910_901 + number),
        pipedrive_id=str(12_415_231 + 7 * number),
        skill=skill,
        haste=haste,
        joined=JOIN_DAY if name == _JOINS else None,
        left=LEAVE_DAY if name == _LEAVES else None,
        moved_to=SOUTH if name == _MOVES else None,
    )


MEMBERS = tuple(_member(number, told) for number, told in enumerate(_CAST))

# They work in the CRMs, and nobody has said who they are.
STRANGERS = (
    Person("Partner portal", EXECUTIVE, NORTH, "910990", "12419990", skill=0.3, is_mapped=False),
    Person("Call center", DEVELOPMENT, NORTH, "910991", "12419991", is_mapped=False),
    Person("Trade fair team", EXECUTIVE, SOUTH, "910992", "12419992", skill=0.25, is_mapped=False),
)
EVERYBODY = MEMBERS + STRANGERS
