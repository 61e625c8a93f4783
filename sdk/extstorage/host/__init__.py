"""What Ganeti's node daemon does with a provider, oddities included.

Each oddity names the function of Ganeti that it comes from; paths are those of Ganeti's source.
"""
