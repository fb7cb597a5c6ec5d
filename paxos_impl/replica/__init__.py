"""A replica run on Trio: `node.serve` runs it, `client` has commands executed, exactly once each."""
