"""Pictures for people: what a violation looked like, and what the camera makes of its view."""
