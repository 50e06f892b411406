"""Fare readers that hand over a card, not a tap."""
