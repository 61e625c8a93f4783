"""Reports of a run: readers of one list of results."""
