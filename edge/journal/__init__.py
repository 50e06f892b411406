"""The journal: one SQLite file in which an acknowledged event survives anything (DESIGN 6)."""
