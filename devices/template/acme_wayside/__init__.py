"""Acme meters for Wayside gateways."""
