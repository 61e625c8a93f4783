"""What Ganeti's commands do to a provider: instances, their disks, migration and failover.

Each module names the part of Ganeti that it follows (paths of Ganeti 3.0's source). The order of
script calls, their variables and the texts are Ganeti's; the tests compare them with recordings.
"""
