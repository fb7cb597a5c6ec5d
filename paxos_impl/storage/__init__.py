"""What a server writes to its disk: records, write-ahead logs, snapshots, and the journal of groups."""
