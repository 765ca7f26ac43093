"""One module for each command or group of commands of `laocert`, imported when it is called.

A command parses its options, calls models or bot/service, and prints the result; it runs no query of its own and
decides no rule.
"""
