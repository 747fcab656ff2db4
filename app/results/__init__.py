"""The questions: KPI results, asked, explained and compared."""
