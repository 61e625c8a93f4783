"""``python3 -m extstorage`` is the command ``extstorage``."""

from __future__ import annotations

import sys

from extstorage.cli import main

sys.exit(main())
