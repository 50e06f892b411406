"""The local page on which a person clicks marks and lines: what it is made of, and what serves it."""
