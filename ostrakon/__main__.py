"""`python -m ostrakon` is the `ostrakon` command."""

from ostrakon.harness.cli import main

if __name__ == "__main__":
    main()
