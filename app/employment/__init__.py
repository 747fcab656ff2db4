"""Since when members are employed, when they are away, and what that tells the ledger."""
