"""What all rooms of the program use: settings, clock, logging, metrics, watchdog and thread priorities.

Nothing here calls Telegram or the database.
"""
