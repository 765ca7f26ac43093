"""The program: settings, wiring, incoming updates, outgoing messages, HTTP server and command line."""
