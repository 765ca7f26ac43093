"""What every conversation is made of: taps, screens, texts, turns, and what came in.

Nothing here knows a subject of the procedure; the order of handling is in handlers/dispatch.py.
"""
