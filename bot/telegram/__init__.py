"""The Bot API as the program calls it: its transport, its limits, and its answers.

What is said is decided elsewhere; updates come in through bot/inbound.
"""
