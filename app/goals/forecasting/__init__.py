"""Where a KPI will end: forecasts from its own daily history, and how often such forecasts held."""
