"""What becomes of the rows of each kind of import."""
