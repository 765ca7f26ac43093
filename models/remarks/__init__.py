"""What organization, province and operator say to each other: questions, explanations, petitions, and the thread
of them.

The table of remarks is in models/certification, because a revision is not whole without it.
"""
