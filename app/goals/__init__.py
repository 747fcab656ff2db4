"""Goals: targets, their revisions, and how they stand."""
