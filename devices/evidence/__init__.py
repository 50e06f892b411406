"""Evidence that certified devices leave."""
