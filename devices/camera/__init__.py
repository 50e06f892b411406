"""Traffic cameras: from a video stream to counts, speeds and red-light violations, with sealed evidence."""
