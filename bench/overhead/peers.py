"""The peers: each serves the same echo in its own way, alone, on a port that it is given."""

import os
import sys
from typing import Any


def fastapi(port: int) -> None:
    """FastAPI on uvicorn, one worker."""
    import uvicorn
    from fastapi import FastAPI, Request

    app = FastAPI()

    @app.post("/")
    async def echo(request: Request) -> Any:
        return await request.json()

    uvicorn.run(app, port=port, log_level="error", access_log=False)


def litserve(port: int) -> None:
    """LitServe, one worker."""
    from bench.overhead import lit

    lit.run(port)


def zero(port: int) -> None:
    """Plain Ray Serve behind its own HTTP proxy, from zero replicas as quickly as settings let it."""
    scaling = {"min_replicas": 0, "max_replicas": 1, "upscale_delay_s": 0, "downscale_delay_s": 1,
               "look_back_period_s": 1}  # fmt: skip
    serve(port, autoscaling_config=scaling)


def serve(port: int, **more: Any) -> None:
    """Plain Ray Serve behind its own HTTP proxy, one replica."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_SERVE_LOG_TO_STDERR"] = "0"
    import ray
    from ray import serve as ray_serve
    from starlette.requests import Request

    ray.init(include_dashboard=False, num_cpus=2, object_store_memory=100 * 2**20,
             log_to_driver=False)  # fmt: skip
    ray_serve.start(http_options={"host": "127.0.0.1", "port": port})

    @ray_serve.deployment(
        max_ongoing_requests=100, logging_config={"enable_access_log": False}, **more
    )
    class Echo:
        async def __call__(self, request: Request) -> Any:
            return await request.json()

    ray_serve.run(Echo.bind(), route_prefix="/", blocking=True)


if __name__ == "__main__":
    {"fastapi": fastapi, "litserve": litserve, "serve": serve, "zero": zero}[sys.argv[1]](
        int(sys.argv[2])
    )
