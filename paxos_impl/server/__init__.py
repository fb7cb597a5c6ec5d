"""A server: it listens, dispatches messages to nodes and requests to handlers, and drives the nodes.

The way of a message between two servers: the core returns an effect `Send`; the node (`DecreeNode.handle`, or
that of `ReplicaNode`) gives it to its driver, which holds it until the writes that it rests on are durable,
and then (`Driver.send`) puts it into the queue of a `Link`. On the other server, the `Dispatcher` reads
frames of that connection and gives each message to a driver (`Driver.receive`), which has its node step the
core with `Received`.
"""
