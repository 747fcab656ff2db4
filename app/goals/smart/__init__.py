"""The SMART check: whether a goal is specific, measurable, achievable, relevant and bound in time (G1, G5)."""
