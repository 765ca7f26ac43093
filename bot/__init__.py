"""The program: settings, wiring, updates in, messages out, command line."""
