"""Search over the catalogue: character bigrams with a phrase check, pinyin, synonyms, facets."""
