"""Sets, queues, counters and identifiers: what was put in comes out, once, and nothing else does."""
