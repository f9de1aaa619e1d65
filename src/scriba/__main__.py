"""`python -m scriba` is the same as `scriba`."""

from __future__ import annotations

import sys

from scriba.cli import main

sys.exit(main())
