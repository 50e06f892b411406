"""What every driver promises, as tests: for our own drivers and for third parties."""
