"""Calibration: what the camera's pixels are on the road, how surely, and whether it still looks the same way."""
