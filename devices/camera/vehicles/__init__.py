"""From frames to vehicles: what moves, where it is on the road, and when it passes a line."""
