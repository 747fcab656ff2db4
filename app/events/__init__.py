"""The ledger: every fact, its revisions, and where it came from."""
