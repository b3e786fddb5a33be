"""Pages: one module for each part of the site that a person sees."""
