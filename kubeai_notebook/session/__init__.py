"""The session: what ties cluster, calls and core together for a user."""
