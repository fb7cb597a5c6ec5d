"""The substrate `live`: each node is a process of the operating system, with real disks and sockets.

All messages of nodes go through a proxy in the harness's process, where the nemesis delays, drops or changes
them. All sockets listen on the loopback interface only, and no privileges are needed. A live trial shows the
behaviour of the real machine, and it cannot be repeated exactly.
"""
