"""BentoML's echo; a module of its own, in an environment of its own, since it is no part of ours."""

from typing import Any

import bentoml


@bentoml.service(workers=1)
class Echo:
    """Gives back what it gets."""

    @bentoml.api(route="/")
    def echo(self, value: Any, /) -> Any:
        """Give it back."""
        return value
