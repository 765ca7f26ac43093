"""What the program serves on LAOCERT_LISTEN: the webhook, whether it is well, and its numbers.

What becomes of an update that was posted is in bot/inbound; numbers are counted where they arise (bot/runtime).
"""
