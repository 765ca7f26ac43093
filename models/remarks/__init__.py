"""Remarks between organization, province and operator: questions, explanations, petitions, and their thread.

The table of remarks is in models/certification, because it belongs to the rows of a revision.
"""
