"""The substrate `hosts`: programs in any language, each node in a network namespace of its own.

A trial runs in a child process that is the first process of new namespaces for processes, mounts and
networks. When that process ends, in whatever way, the kernel ends every other process in them and removes
the networks, the mounts and the packet filter. Nothing has to be cleaned up by a program that might not get
to it.
"""
