"""The audit chains: append-only events, each with a keyed hash over itself and the event before it; and row seals.

The module of an operation records its event. models/verification compares the tables with the events.
"""
