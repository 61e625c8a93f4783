"""The LVM provider: volumes are logical volumes of a group that all nodes share."""
