"""Organizations, their settings, API keys and what a caller may do."""
