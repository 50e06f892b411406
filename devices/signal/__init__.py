"""Traffic signal controllers."""
