"""Runs a script under ptrace: sees what it does to the outside world, and breaks one step of it.

This package is started on nodes by their own Python: standard library only, Python 3.9.
"""
