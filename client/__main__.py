"""`python -m client`: the `stillhouse` command."""

from client.cli import app

if __name__ == "__main__":
    app()
