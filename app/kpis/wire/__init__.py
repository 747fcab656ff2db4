"""From a definition's wire form, as it is posted and stored, to its plain values.

Shapes (types of fields, patterns, sizes) are the schemas' matter; what they let pass is read here, and everything
that is wrong with it is found at once.
"""

from app.kpis.wire.definitions import Other, Reading, examine, read_definition
from app.kpis.wire.durations import parse_duration, parse_over
from app.kpis.wire.findings import DefinitionError, Finding
from app.kpis.wire.shapes import DefinitionWire, MeasureWire, UnitWire

__all__ = [
    "DefinitionError",
    "DefinitionWire",
    "Finding",
    "MeasureWire",
    "Other",
    "Reading",
    "UnitWire",
    "examine",
    "parse_duration",
    "parse_over",
    "read_definition",
]
