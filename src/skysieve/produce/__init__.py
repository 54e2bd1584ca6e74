"""Producing simulated sets: a plan, its parts, and the layouts they are written in."""
