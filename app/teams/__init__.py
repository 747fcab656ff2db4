"""Members, identities, teams, and who was where when."""
