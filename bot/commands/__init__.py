"""One module for each command or group of commands of `laocert`, imported when it is called.

A command reads its options, calls models or bot/service, and prints; it holds no query and no rule.
"""
