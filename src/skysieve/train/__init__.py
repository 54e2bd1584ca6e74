"""Fitting networks to simulated images and exporting finders."""
