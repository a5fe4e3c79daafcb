"""`python -m blackthorn` is `blackthorn`."""

from blackthorn.cli.main import main

if __name__ == "__main__":
    main()
