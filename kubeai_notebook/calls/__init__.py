"""The OpenAI-compatible gateway: the only room that imports ``openai``."""
