"""The work that deliveries and changed mappings cause."""

from app.core.jobs import Handler
from app.integrations import retelling, translation

HANDLERS = {
    translation.TRANSLATE: Handler(run=translation.translate, batch=50, failed=translation.failed),
    translation.FORGET: Handler(run=retelling.forget),
    retelling.RETELL: Handler(run=retelling.retell),
    translation.REFOLD: Handler(run=translation.refold),
    translation.REFOLD_ALL: Handler(run=translation.refold_all, batch=100),
}
