"""asyncio in a simulated process: its own event loop, on simulated sockets and a simulated clock."""
