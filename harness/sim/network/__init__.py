"""The simulated network: links, TCP, UDP, UNIX sockets, name resolution."""
