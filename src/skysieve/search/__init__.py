"""Searching many cutouts: a plan, parts that are whole or absent, and one ranking."""
