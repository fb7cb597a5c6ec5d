"""The substrate `live`: every node a process of the operating system, on real disks and sockets.

All that nodes say goes through a proxy in the harness's own process, which does there what the nemesis wants
done to messages. Everything listens on the loopback interface alone, and no privileges are needed. It is the
truth about one machine, and never the same twice.
"""
