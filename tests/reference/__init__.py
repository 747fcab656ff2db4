"""The slow, obvious reference: what every figure means, computed by loops over lists."""
