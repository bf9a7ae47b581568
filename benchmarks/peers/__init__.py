"""molkern beside the libraries users have today: same inputs, one interleaved run, ratios."""
