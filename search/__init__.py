"""Finding algorithms by words: what is indexed, how it is ranked, how it is kept current."""
