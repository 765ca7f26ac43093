"""Screens of questions, explanations, petitions, and the thread of remarks.

Drafts of typed texts are in handlers/chat.
"""
