"""The work that imports cause."""

from app.core.jobs import Handler
from app.imports import work

HANDLERS = {
    work.TAKE: Handler(run=work.take_rows, failed=work.failed),
    work.CLEAR: Handler(run=work.clear),
}
