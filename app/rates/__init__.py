"""Exchange rates in named sets, and what one currency is worth in another on a day."""
