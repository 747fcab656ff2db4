"""One module per CRM that can be asked: objects, people, stages and subscriptions over its API."""

from app.integrations.clients.base import Client
from app.integrations.clients.dynamics365 import Dynamics365Client
from app.integrations.clients.fxiaoke import FxiaokeClient
from app.integrations.clients.hubspot import HubSpotClient
from app.integrations.clients.pipedrive import PipedriveClient
from app.integrations.clients.salesforce import SalesforceClient
from app.integrations.clients.zoho import ZohoClient

CLIENTS: dict[str, type[Client]] = {
    client.system: client
    for client in (Dynamics365Client, FxiaokeClient, HubSpotClient, PipedriveClient, SalesforceClient, ZohoClient)
}
