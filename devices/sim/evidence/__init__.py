"""Simulated boxes that leave evidence packages."""
