"""Whether the organization is set up to be led by figures: the usual mistakes, found in its own data (V5)."""
