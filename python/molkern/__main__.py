"""``python -m molkern`` is the command ``molkern``."""

import sys

from molkern.cli import main

sys.exit(main())
