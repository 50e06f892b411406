"""What lies beside an event of a camera: made, sealed, and written before its event is recorded."""
