"""What every part of the program uses: settings, clock, logs, counters, and the priority of threads.

Nothing here speaks to Telegram or to the database.
"""
