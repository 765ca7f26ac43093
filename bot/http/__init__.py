"""What the program serves on LAOCERT_LISTEN: the webhook, and how it does."""
