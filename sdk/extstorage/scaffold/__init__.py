"""Turns templates/provider into a new provider's project, and an old project into a newer one."""
