"""Number plates, read on trigger only: found, rectified, recognised under the country's syntax, voted on."""
