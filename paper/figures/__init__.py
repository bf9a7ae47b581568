"""One module per figure; ``python -m figures`` draws all of them."""
