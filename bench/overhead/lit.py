"""LitServe's echo; a module of its own, since LitServe hands its class to a new process."""

from typing import Any

import litserve


class Echo(litserve.LitAPI):
    """Gives back what it gets."""

    def setup(self, device: str) -> None:
        """Nothing to load."""

    def decode_request(self, request):  # LitServe reads its annotation
        """The JSON value."""
        return request

    def predict(self, value: Any) -> Any:
        """Give it back."""
        return value

    def encode_response(self, value: Any) -> Any:
        """The JSON value."""
        return value


def run(port: int) -> None:
    """Serve it, one worker."""
    server = litserve.LitServer(Echo(api_path="/"), accelerator="cpu", workers_per_device=1)
    server.run(port=port, log_level="error", generate_client_file=False, num_api_servers=1)
