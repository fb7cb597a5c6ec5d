"""The simulated disk: files with a page cache, power loss, disk faults, and the POSIX calls on top."""
