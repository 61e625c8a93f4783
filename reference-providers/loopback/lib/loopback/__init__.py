"""The loopback provider: volumes are files of a shared directory, devices are loop devices."""
