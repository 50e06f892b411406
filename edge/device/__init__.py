"""One configured device: its settings and driver, who keeps it read, and what of its readings is worth recording."""
