"""How a rule is found and ordered; the rules themselves are rows in ``tables``."""
