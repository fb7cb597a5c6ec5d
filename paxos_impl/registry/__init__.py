"""How a server gets its id and learns the membership: from the registry, or by joining."""
