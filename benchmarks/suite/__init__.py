"""Benchmarks of molkern over its history (asv). Inputs are seeded; no data file is needed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the contestants of peers/
