"""The view of a camera: its lanes and lines, and where on the road each pixel lies."""
