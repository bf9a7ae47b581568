"""Readers of the kinds of files that users have: each finds arrays under the file's own names."""
