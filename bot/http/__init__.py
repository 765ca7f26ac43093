"""The HTTP server on LAOCERT_LISTEN: the webhook, the health probes and the metrics.

Posted updates are stored by bot/inbound; counters are in bot/runtime/metrics.py.
"""
