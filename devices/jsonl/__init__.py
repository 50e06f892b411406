"""Devices that speak one JSON object a line."""
