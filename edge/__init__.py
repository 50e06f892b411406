"""The gateway: everything that composes the other folders into a running box."""
