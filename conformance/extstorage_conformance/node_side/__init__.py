"""What the suite does on a node: device I/O, streams, the inventory, files.

Runs in the suite's own process for this machine, and is sent to all other nodes: it needs the
standard library, ``extstorage_conformance.stamps`` and nothing else, and runs on Python 3.9.
``side.NodeSide`` is its face; arguments and results are what JSON can say.
"""
