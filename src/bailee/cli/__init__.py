"""The `bailee` command: commands that act on this machine, and commands that go through the API as somebody."""
