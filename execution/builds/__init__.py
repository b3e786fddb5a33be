"""From an author's folder to something callable."""
