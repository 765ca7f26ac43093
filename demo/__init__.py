"""The system without a token: sample data, an emulated Bot API, and phones to chat from."""
