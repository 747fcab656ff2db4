"""The README says what is so."""

from pathlib import Path

from app.core.settings import Settings

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_readme_lists_every_setting_with_its_default_and_meaning() -> None:
    missed = [row for name in Settings.model_fields if (row := row_of(name)) not in README]
    assert missed == []


def row_of(name: str) -> str:
    field = Settings.model_fields[name]
    default = "" if field.default is None else f"`{field.default}`"
    default = default.lower() if isinstance(field.default, bool) else default
    return f"| `PACELINE_{name.upper()}` | {default} | {field.description} |"
