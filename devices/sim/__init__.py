"""Simulated devices, written from the standards; they share no code with the drivers."""
