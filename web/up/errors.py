"""Why a start cannot go on, told to the person who asked for it."""


class CannotStart(Exception):
    """One clear sentence on what is in the way, and one on the way out.

    Whoever catches it prints both and ends with status 2; it is never a bug of ours.
    """

    def __init__(self, what: str, way_out: str) -> None:
        super().__init__(what, way_out)
        self.what = what
        self.way_out = way_out

    def __str__(self) -> str:
        return f"{self.what} {self.way_out}"
