"""What this machine can and cannot test, and what it takes to change that."""
