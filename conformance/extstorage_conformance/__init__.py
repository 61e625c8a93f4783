"""Conformance of Ganeti ExtStorage providers: a pytest plugin and its rules."""
