"""Running an algorithm from its page, and giving it stars."""

import base64
from dataclasses import dataclass
from http import HTTPStatus

import orjson
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from catalog import queries, service
from catalog.names import Reference, Selector
from core.accounts.actor import Actor
from core.errors import BadInput, MarketError, SignInNeeded, TooLarge
from execution.calls import Answer, CallOptions
from execution.outcome import ContentType, Payload
from web.auth.identify import require
from web.pages import listing_view
from web.pages.frame import visitor
from web.pages.phases import Phase, phases_of
from web.pages.samples import Shown, sample_input
from web.state import State
from web.templating import render

LARGEST = 10 * 2**20
# What is kept for somebody who can't run anything: it is only shown again.
LARGEST_OF_VISITORS = 256 * 1024


@dataclass(frozen=True, slots=True)
class RunView:
    """What a run from the page came to: an answer, or a refusal before anything ran."""

    answer: Answer | None = None
    refusal: MarketError | None = None
    # What was typed, so that a page made anew has it still.
    typed: str | None = None

    @property
    def result(self) -> Shown | None:
        """The result, where there is one."""
        result = self.answer.outcome.result if self.answer else None
        if result is None or result.content_type is ContentType.VOID:
            return None
        return Shown(result.content_type.value, result.data)

    @property
    def result_address(self) -> str:
        """The result's bytes as an address, for a picture, a sound or a download."""
        result = self.result
        if result is None:
            return ""
        return f"data:{result.media};base64,{base64.b64encode(result.data).decode()}"

    @property
    def phases(self) -> list[Phase]:
        """Where the time went."""
        return phases_of(self.answer) if self.answer else []


async def run(request: Request[State]) -> Response:
    """Run the algorithm once on what the form holds, and show what came of it."""
    actor = await visitor(request)
    parts = request.path_params
    if actor.is_visitor and _announced(request) > LARGEST_OF_VISITORS:
        raise SignInNeeded("Sign in to run it on as much as this.")
    async with request.form(max_part_size=LARGEST) as form:
        number = str(form.get("version", ""))
        typed = form.get("input")
        view = RunView(typed=typed if isinstance(typed, str) else None)
        try:
            if actor.is_visitor:
                raise SignInNeeded("Sign in to run it. What you typed stays on this page.")
            payload = await read_payload(form) or await _sample(request, actor, number)
            answer = await request.state["caller"].call(
                actor,
                Reference(parts["owner"], parts["name"], Selector.parse(number)),
                payload,
                CallOptions(timeout_s=listing_view.TIMEOUT_S),
            )
            view = RunView(answer=answer, typed=view.typed)
        except MarketError as refusal:
            view = RunView(refusal=refusal, typed=view.typed)
    listing = await listing_view.read(request, actor, number)
    status = view.refusal.status if view.refusal is not None else HTTPStatus.OK
    return render(
        request,
        "algorithm/page.html",
        "algorithm/_answer.html",
        status=status,
        actor=actor,
        view=listing,
        answer=view,
    )


def _announced(request: Request[State]) -> int:
    """Tell how large the body says that it is; one that doesn't say may be of any size."""
    length = request.headers.get("content-length", "")
    return int(length[:15]) if length.isdigit() else LARGEST


async def read_payload(form: FormData) -> Payload | None:
    """Read the input that the form holds; None where the sample is to be run.

    Raises BadInput for what isn't the JSON that it is sent as.
    """
    file = form.get("file")
    if isinstance(file, UploadFile) and file.filename:
        data = await file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise TooLarge(f"A file can have {LARGEST // 2**20} MiB at most.")
        return Payload(ContentType.BINARY, data)
    if form.get("kind") == "binary":
        return None
    text = str(form.get("input", "")).replace("\r\n", "\n")
    if form.get("kind") == "text":
        return Payload(ContentType.TEXT, text.encode("utf-8", "replace"))
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadInput(
            f"The input is no valid JSON: {error}. To send it as it is, choose Text."
        ) from error
    return Payload(ContentType.JSON, text.encode())


async def _sample(request: Request[State], actor: Actor, number: str) -> Payload:
    parts = request.path_params
    async with request.state["sessions"]() as session:
        listing = await queries.listing(
            session, actor, parts["owner"], parts["name"], Selector.parse(number)
        )
    sample = sample_input(listing.version) if listing.version is not None else None
    if sample is None:
        raise BadInput("This version has no sample. Choose a file first.")
    return Payload(ContentType(sample.kind), sample.data)


async def rate(request: Request[State]) -> Response:
    """Give stars, change them, or take them back."""
    actor = await require(request)
    parts = request.path_params
    async with request.form() as form:
        text = str(form.get("stars", ""))
    if text not in {"0", "1", "2", "3", "4", "5"}:
        raise BadInput("A rating has 1 to 5 stars.")
    async with request.state["sessions"].begin() as session:
        listing = await queries.listing(session, actor, parts["owner"], parts["name"], Selector())
        await service.rate(session, actor, listing.algorithm, int(text))
    view = await listing_view.read(request, actor, "")
    if request.headers.get("HX-Request") != "true":
        return RedirectResponse(f"{view.address}#rating", HTTPStatus.SEE_OTHER)
    return render(request, "algorithm/page.html", "algorithm/_rating.html", actor=actor, view=view)


async def back(request: Request[State]) -> Response:
    """Lead whoever opens the address of a run to the algorithm that it ran."""
    parts = request.path_params
    return RedirectResponse(f"/algorithms/{parts['owner']}/{parts['name']}")


routes: list[BaseRoute] = [
    Route("/algorithms/{owner}/{name}/run", back, name="run_back"),
    Route("/algorithms/{owner}/{name}/run", run, methods=["POST"], name="run"),
    Route("/algorithms/{owner}/{name}/rating", rate, methods=["POST"], name="rate"),
]
