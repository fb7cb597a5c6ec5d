"""A replica on Trio: `node` recovers it from its disk, `client` has commands executed, exactly once each."""
