"""What stops a bench: one error with the next move."""


class BenchError(Exception):
    """Told to the person at the terminal, without a trace."""

    def __init__(self, message: str, help: str = ""):
        super().__init__(message)
        self.help = help
