"""`python -m bailee.cli`."""

from bailee.cli.main import main

if __name__ == "__main__":
    main()
