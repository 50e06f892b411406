"""Anything with a contact."""
