"""Sealed evidence on its way from the gateway to the authority, and its opening there."""
