"""Simulated parking sensors and terminals."""
