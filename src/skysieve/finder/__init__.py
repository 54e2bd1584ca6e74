"""Finders: bundles on disk that turn cutouts into scores, without torch."""
