"""The demo: six months of an invented sales organization, told by webhooks to a running service."""
