"""What the bot knows about a chat before anybody logs in: its updates in order, its language, the awaited text.

Officers belong to models/accounts; messages to a chat belong to models/notices.
"""
