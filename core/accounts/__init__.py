"""People and organizations, who is asking, and the keys of their programs."""
