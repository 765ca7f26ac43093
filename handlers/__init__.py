"""The conversation: what each tap or message does, and what the screens say. Holds no query."""
