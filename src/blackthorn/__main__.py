"""`python -m blackthorn` is `blackthorn`."""

from blackthorn.apps.cli import main

if __name__ == "__main__":
    main()
