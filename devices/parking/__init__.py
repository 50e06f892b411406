"""Parking sensors."""
