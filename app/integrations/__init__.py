"""Connected systems: webhooks in, records of CRM objects, and the events that follow from them."""
