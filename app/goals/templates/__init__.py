"""Sets of goals for a role: kept, taken from a library, previewed and applied (K1, K2, G7)."""
