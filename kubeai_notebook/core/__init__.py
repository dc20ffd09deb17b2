"""What a Model is and what can be concluded about it: pure functions over plain data."""
