"""MQTT 5: the topic table, the one session, the embedded broker, status and health."""
