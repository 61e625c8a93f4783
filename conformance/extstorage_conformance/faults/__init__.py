"""Breaks a script of any provider at each step that it takes, and says what came of it."""
