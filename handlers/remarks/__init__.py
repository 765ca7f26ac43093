"""Questions, explanations, petitions and the thread, as they are asked for and shown.

How a draft of typed words is kept is in handlers/chat.
"""
