"""Long work as people see it: how far it is, and how to stop it."""
