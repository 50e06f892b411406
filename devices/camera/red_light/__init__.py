"""Crossings held against the signed states of a signal."""
