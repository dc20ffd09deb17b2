"""How a Session knows what its Models are doing: watches below, Views above."""
