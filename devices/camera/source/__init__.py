"""Video sources: frames with the times that they were presented at."""
