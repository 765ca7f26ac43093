"""Runs the program and serves operations: opening the database, backup and restore, periodic upkeep, `doctor`.

The command line is parsed in bot/commands.
"""
