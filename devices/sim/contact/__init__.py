"""Simulated contacts."""
