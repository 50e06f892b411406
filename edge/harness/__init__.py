"""The dev harness: places full of simulated devices, and the journal held against what they really said."""
