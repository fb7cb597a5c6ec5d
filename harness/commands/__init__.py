"""The subcommands of `ostrakon`, one file each."""
