"""The nouns that every other part speaks: cutouts, scores, labels, surveys, errors, streams."""
