"""What the bot knows of a chat before anybody logs in: its updates in order, its language, and what it waits for.

Who the officer is belongs to models/accounts, what is sent to a chat to models/notices.
"""
