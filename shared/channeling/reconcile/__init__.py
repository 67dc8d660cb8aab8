"""Putting the books in order on a schedule: what no request came back to do."""
