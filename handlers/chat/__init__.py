"""The parts of every conversation: decoded updates, taps, turns, screens and texts.

Nothing here depends on a subject of the procedure. Which handler answers is decided in handlers/dispatch.py.
"""
