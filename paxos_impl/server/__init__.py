"""A server: it listens, dispatches messages to nodes and requests to handlers, and drives the nodes."""
