"""Measuring how good a ranking is, with counts and intervals, and showing it."""
