"""Device drivers: the Driver port, one file a protocol."""
