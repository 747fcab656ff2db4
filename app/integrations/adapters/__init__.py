"""One module per CRM: verify, redact, fold and translate, in plain Python."""

from app.integrations.adapters.base import Adapter
from app.integrations.adapters.dynamics365 import Dynamics365
from app.integrations.adapters.fxiaoke import Fxiaoke
from app.integrations.adapters.hubspot import HubSpot
from app.integrations.adapters.pipedrive import Pipedrive
from app.integrations.adapters.salesforce import Salesforce
from app.integrations.adapters.webhook import Webhook
from app.integrations.adapters.zoho import Zoho

ADAPTERS: dict[str, Adapter] = {
    adapter.system: adapter
    for adapter in (Dynamics365(), Fxiaoke(), HubSpot(), Pipedrive(), Salesforce(), Webhook(), Zoho())
}
