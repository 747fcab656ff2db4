"""The history of the database's tables, which Alembic runs."""
