"""The command line: parse, call one function, show.

A command imports what it needs when it runs, so that ``--help`` answers at once.
"""
