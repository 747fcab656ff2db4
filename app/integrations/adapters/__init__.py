"""One module per CRM: verify, redact, fold and translate, in plain Python."""

from app.integrations.adapters.base import Adapter
from app.integrations.adapters.hubspot import HubSpot
from app.integrations.adapters.pipedrive import Pipedrive

ADAPTERS: dict[str, Adapter] = {adapter.system: adapter for adapter in (HubSpot(), Pipedrive())}
