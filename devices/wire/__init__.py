"""Wires that drivers share: serial lines, TCP connections, MQTT subscriptions."""
