"""Smart meters: one file a protocol, and what they share."""
