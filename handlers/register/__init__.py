"""Screens of an organization's register: sending it as a file, what changes, and empty menus.

The review of the register's numbers is in handlers/certification.
"""
