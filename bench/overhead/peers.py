"""The peers: each serves the same echo in its own way, alone, on a port that it is given."""

import asyncio
import os
import sys
from typing import Any

BINARY = "application/octet-stream"


def fastapi(port: int) -> None:
    """FastAPI on uvicorn, one worker."""
    import uvicorn
    from fastapi import FastAPI, Request, Response

    app = FastAPI()

    @app.post("/")
    async def echo(request: Request) -> Any:
        if request.headers["content-type"] == BINARY:
            return Response(await request.body(), media_type=BINARY)
        return await request.json()

    uvicorn.run(app, port=port, log_level="error", access_log=False)


def litserve(port: int) -> None:
    """LitServe, one worker."""
    from bench.overhead import lit

    lit.run(port)


def bentoml(port: int) -> None:
    """BentoML, one worker, in an environment of its own that uv makes."""
    from uv import find_uv_bin

    command = [
        find_uv_bin(),
        "run",
        "--no-project",
        "--python",
        sys.executable,
        "--with",
        "bentoml",
    ]
    served = ["bentoml", "serve", "bench.overhead.bento:Echo", "--port", str(port)]
    os.execv(command[0], [*command, *served])


def zero(port: int) -> None:
    """Plain Ray Serve behind its own HTTP proxy, from zero replicas as quickly as settings let it."""
    scaling = {"min_replicas": 0, "max_replicas": 1, "upscale_delay_s": 0, "downscale_delay_s": 1,
               "look_back_period_s": 1}  # fmt: skip
    serve(port, autoscaling_config=scaling)


def nap(port: int) -> None:
    """Plain Ray Serve with eight places for calls that wait as long as they are told."""
    serve(port, max_ongoing_requests=8)


def serve(port: int, **more: Any) -> None:
    """Plain Ray Serve behind its own HTTP proxy, one replica."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_SERVE_LOG_TO_STDERR"] = "0"
    import ray
    from ray import serve as ray_serve
    from starlette.requests import Request
    from starlette.responses import Response

    ray.init(include_dashboard=False, num_cpus=2, object_store_memory=100 * 2**20,
             log_to_driver=False)  # fmt: skip
    ray_serve.start(http_options={"host": "127.0.0.1", "port": port})

    naps = "max_ongoing_requests" in more

    @ray_serve.deployment(
        logging_config={"enable_access_log": False}, **{"max_ongoing_requests": 100, **more}
    )
    class Echo:
        async def __call__(self, request: Request) -> Any:
            if request.headers["content-type"] == BINARY:
                return Response(await request.body(), media_type=BINARY)
            given = await request.json()
            if naps and isinstance(given, int):
                await asyncio.sleep(given / 1000)
                return Response(str(given))  # with its length, which the caller reads
            return given

    ray_serve.run(Echo.bind(), route_prefix="/", blocking=True)


PEERS = {one.__name__: one for one in (bentoml, fastapi, litserve, nap, serve, zero)}

if __name__ == "__main__":
    PEERS[sys.argv[1]](int(sys.argv[2]))
