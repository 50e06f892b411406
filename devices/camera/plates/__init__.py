"""Number plates: found, read, and held back where in doubt."""
