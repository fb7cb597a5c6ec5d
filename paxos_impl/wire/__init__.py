"""What goes over the network: frames, messages, addresses of members, and TLS."""
