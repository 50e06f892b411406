"""Simulated fare readers."""
