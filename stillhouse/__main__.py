"""`python -m stillhouse`: the `stillhouse` command."""

from stillhouse.cli import app

if __name__ == "__main__":
    app()
