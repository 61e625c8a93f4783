"""Nodes: the machines that providers run on, reached in one way."""
