"""The ready-made KPIs that sales leaders asked for (K15): data, what each needs, and how they are installed."""
