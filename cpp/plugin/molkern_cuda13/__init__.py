"""The module for CUDA devices; `molkern.cuda` finds it here."""
