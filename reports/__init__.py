"""Turn a run folder into one self-contained HTML page, and a store into an index."""
