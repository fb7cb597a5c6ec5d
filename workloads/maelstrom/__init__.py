"""Programs in any language that speak Maelstrom's protocol: a line of JSON a message, on standard streams.

Each node's binary runs beside a bridge that carries its messages. Nodes are live, so what the nemesis does to
them, and to single messages between them, is done to real processes.
"""
