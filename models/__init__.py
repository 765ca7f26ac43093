"""The truth: tables, the rules on them, and every query. Imports neither Telegram nor the conversation."""
