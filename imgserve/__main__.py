"""`python -m imgserve` is the command line."""

from imgserve.cli.main import main

if __name__ == "__main__":
    main()
