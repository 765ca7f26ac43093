"""The running program and what it needs around it: opening the database, backup, upkeep, and the watch over its
parts.

What an operator types is read in bot/commands.
"""
