"""Simulated signal controllers."""
