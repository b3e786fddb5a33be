"""The only way that an algorithm is ever run: hold, run, settle."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import asyncpg
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import select

from billing import pricing
from billing.groups import Group
from billing.ledger import HoldRequest, Ledger, Settlement, refusal
from billing.models import Call, CallState, Wallet
from billing.pricing import CREDIT, FREE, Charge
from catalog.names import Reference
from core.accounts.actor import Actor
from core.clock import now
from core.db import Sessions
from core.errors import BadInput, MarketError, SignInNeeded
from execution.at_once import AtOnce
from execution.bounds import DEEPEST
from execution.cluster import Cluster
from execution.frames import Budget, Frame, Stopped, until
from execution.messages import Run
from execution.outcome import ContentType, Failure, Outcome, Payload
from execution.resolve import Resolver, Runnable

log = structlog.get_logger()

LONGEST_TIMEOUT_S = 3000.0
# A hold outlives its call's deadline by this much, so that no call that still may be settled
# loses it; what a killed gateway held comes back after as long.
HOLD_GRACE = timedelta(seconds=60)
# The most that the calls inside one call may cost together, where its caller says nothing.
NESTED_BUDGET = 10_000 * CREDIT
CONCURRENCY = 80
QUEUE = 200
MESSAGE_LENGTH = 500
# How long after each failed try the next one comes: about as long as a database's restart.
SETTLE_PAUSES_S = (0.1, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True)
class CallOptions:
    """What a caller may ask of one call.

    Without `timeout_s` it has the time that its author gives it. `budget` bounds what the calls
    inside it may cost together, in microcredits.
    """

    timeout_s: float | None = None
    wants_stdout: bool = False
    budget: int = NESTED_BUDGET


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended, and what it cost. `stdout` is there only for the author."""

    call_id: UUID
    number: str
    outcome: Outcome
    charge: Charge
    duration_ms: float
    stdout: str | None = None


class Caller:
    """Runs calls. One for each gateway process, made inside its event loop."""

    def __init__(
        self,
        sessions: Sessions,
        ledger: Ledger,
        cluster: Cluster,
        *,
        concurrency: int = CONCURRENCY,
        queue: int = QUEUE,
    ) -> None:
        """`concurrency` is how many calls one account may have under way, `queue` one version."""
        self._sessions = sessions
        self._cluster = cluster
        self._resolver = Resolver(sessions)
        self._holds: Group[HoldRequest, bool] = Group(ledger.hold)
        self._settlements: Group[Settlement, bool] = Group(ledger.settle)
        self._of_account = AtOnce(
            concurrency,
            f"This account has {concurrency} calls under way, which is the most at once. Send it "
            "again when one has ended. Nothing was charged.",
        )
        self._of_version = AtOnce(
            queue,
            f"This algorithm has {queue} calls under way or waiting, which is the most at once. "
            "Send it again in a moment. Nothing was charged.",
        )
        self._running: set[asyncio.Task[Answer]] = set()
        self._nested_calls: set[asyncio.Task[Payload | Failure]] = set()

    async def call(
        self, actor: Actor, reference: Reference, payload: Payload, options: CallOptions
    ) -> Answer:
        """Run an algorithm once for the actor.

        Raises NotFound, BadInput, InsufficientCredits, TooManyCalls before anything runs. What
        the algorithm does wrong is in the answer's outcome and costs nothing. A caller who goes
        away ends nothing: the call runs on and is settled.
        """
        if actor.account_id is None:
            raise SignInNeeded(
                "A call needs a key. Send it as `Authorization: YOUR_KEY`. Nothing was charged."
            )
        account_id = actor.account_id
        self._of_account.enter(account_id)
        try:
            task = await self._begin(actor, reference, payload, options, Budget(options.budget))
        except BaseException:
            self._of_account.leave(account_id)
            raise
        task.add_done_callback(lambda _: self._of_account.leave(account_id))
        return await asyncio.shield(task)

    async def drain(self) -> None:
        """Wait until every call under way is settled."""
        while self._running:
            await asyncio.wait(self._running)

    async def _begin(
        self,
        actor: Actor,
        reference: Reference,
        payload: Payload,
        options: CallOptions,
        budget: Budget,
        chain: tuple[str, ...] = (),
        deadline: float | None = None,
        stop: "asyncio.Future[None] | None" = None,
    ) -> asyncio.Task[Answer]:
        """Check and hold, then start the run, which `stop` ends early, and `deadline` at last."""
        began = time.perf_counter()
        wished_s = options.timeout_s
        if wished_s is not None and not 0 < wished_s <= LONGEST_TIMEOUT_S:
            raise BadInput(
                f"The timeout must be above 0 and at most {LONGEST_TIMEOUT_S:.0f} seconds. "
                "Nothing was charged."
            )
        runnable = await self._resolver.resolve(actor, reference)
        timeout_s = runnable.timeout_s if wished_s is None else wished_s
        if deadline is not None:
            left_s = deadline - asyncio.get_running_loop().time()
            timeout_s = max(0.001, min(timeout_s, left_s))
        limit = pricing.most(royalty=runnable.royalty, rate=runnable.rate, timeout_s=timeout_s)
        call_id = uuid4()
        if actor.depth > 0:
            budget.take(limit)
        try:
            self._of_version.enter(runnable.version_id)
            try:
                await self._hold(call_id, runnable, limit, timeout_s)
            except BaseException:
                self._of_version.leave(runnable.version_id)
                raise
        except BaseException:
            if actor.depth > 0:
                budget.give_back(limit)
            raise
        frame = Frame(
            actor=replace(
                actor,
                parent_id=call_id,
                depth=actor.depth + 1,
                # A stranger's code spends its caller's credit, and sees nothing of what is his.
                public_only=actor.public_only or not runnable.owned,
            ),
            deadline=asyncio.get_running_loop().time() + timeout_s,
            budget=budget,
            chain=(*chain, f"{reference.owner}/{reference.name}"),
        )
        task = asyncio.create_task(
            self._run(
                call_id, actor, runnable, payload, options, timeout_s, limit, began, frame, stop
            )
        )
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _: self._of_version.leave(runnable.version_id))
        return task

    async def _nested(self, frame: Frame, reference: str, payload: Payload) -> Payload | Failure:
        """Answer one call that a run makes. Cancelling this ends it, charged for nothing."""
        stop: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        whole = asyncio.create_task(self._run_nested(frame, reference, payload, stop))
        self._nested_calls.add(whole)
        whole.add_done_callback(self._nested_calls.discard)
        try:
            # What was set aside for it is given back in any case, so it isn't cancelled itself.
            return await asyncio.shield(whole)
        except asyncio.CancelledError:
            stop.set_result(None)
            raise

    async def _run_nested(
        self, frame: Frame, reference: str, payload: Payload, stop: "asyncio.Future[None]"
    ) -> Payload | Failure:
        if frame.actor.depth > DEEPEST:
            chain = " → ".join((*frame.chain, reference.strip("/")[:80]))
            return Failure(
                "InputError", f"Algorithms call each other at most {DEEPEST} deep: {chain}."
            )
        try:
            task = await self._begin(
                frame.actor,
                Reference.parse(reference),
                payload,
                CallOptions(),
                frame.budget,
                frame.chain,
                frame.deadline,
                stop,
            )
        except MarketError as error:
            return Failure(error.error_type, error.message)
        outcome = (await task).outcome
        return outcome.failure or outcome.result or Payload(ContentType.VOID, b"")

    async def _hold(self, call_id: UUID, runnable: Runnable, amount: int, timeout_s: float) -> None:
        placed = await self._holds.put(
            HoldRequest(
                call_id=call_id,
                wallet_id=runnable.payer_wallet_id,
                amount=amount,
                expires_at=now() + timedelta(seconds=timeout_s) + HOLD_GRACE,
            )
        )
        if not placed:
            async with self._sessions() as session:
                wallet = await session.scalar(
                    select(Wallet).where(Wallet.id == runnable.payer_wallet_id)
                )
            raise refusal(amount, wallet.balance - wallet.held if wallet else 0)

    async def _run(
        self,
        call_id: UUID,
        actor: Actor,
        runnable: Runnable,
        payload: Payload,
        options: CallOptions,
        timeout_s: float,
        limit: int,
        began: float,
        frame: Frame,
        stop: "asyncio.Future[None] | None",
    ) -> Answer:
        cost = FREE
        try:
            run = Run(
                artefact=runnable.artefact,
                payload=payload,
                call_id=str(call_id),
                timeout_s=timeout_s,
                wants_stdout=options.wants_stdout and runnable.owned,
                payer=str(runnable.payer_id),
                depth=actor.depth,
                idempotent=runnable.idempotent,
                hardware=runnable.hardware,
            )
            outcome = await self._outcome(run, runnable, frame, stop)
            if outcome.failure is None:
                cost = pricing.charge(
                    royalty=runnable.royalty,
                    rate=runnable.rate,
                    ran_ms=outcome.ran_ms,
                    limit=limit,
                )
            duration_ms = (time.perf_counter() - began) * 1000
            ended = _settlement(call_id, actor, runnable, outcome, cost, duration_ms)
            if not await self._settle(ended):
                cost = FREE
        finally:
            if actor.depth > 0:
                frame.budget.give_back(limit - cost.total)
        return Answer(
            call_id=call_id,
            number=runnable.number,
            outcome=outcome,
            charge=cost,
            duration_ms=duration_ms,
            stdout=outcome.stdout if options.wants_stdout and runnable.owned else None,
        )

    async def _outcome(
        self, run: Run, runnable: Runnable, frame: Frame, stop: "asyncio.Future[None] | None"
    ) -> Outcome:
        on_call = partial(self._nested, frame) if runnable.artefact.calls_others else None
        try:
            outcome = await until(stop, self._cluster.invoke(run, on_call))
        except Stopped:
            return Outcome(None, Failure("SystemError", "The call that made it ended first."))
        except Exception:
            # A bug of ours: what was held must come back at once all the same.
            log.exception("a run failed inside the platform", call=run.call_id)
            return Outcome(None, Failure("SystemError", "The platform failed. Try again."))
        if outcome.failure is not None and not runnable.owned:
            # The trace quotes lines of the source, which is its author's alone to read.
            return replace(outcome, failure=replace(outcome.failure, stacktrace=""))
        return outcome

    async def _settle(self, ended: Settlement) -> bool:
        """Settle, through a restart of the database where need be; tells whether it is charged."""
        for pause_s in SETTLE_PAUSES_S:
            try:
                return await self._settlements.put(ended)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                log.exception("a settlement is tried again", call=str(ended.id))
                await asyncio.sleep(pause_s)
            # It may have been written though its confirmation was lost.
            with suppress(OSError, SQLAlchemyError):
                async with self._sessions() as session:
                    if await session.get(Call, ended.id) is not None:
                        return True
        return await self._settlements.put(ended)


def _settlement(
    call_id: UUID,
    actor: Actor,
    runnable: Runnable,
    outcome: Outcome,
    cost: Charge,
    duration_ms: float,
) -> Settlement:
    failure = outcome.failure
    return Settlement(
        id=call_id,
        parent_id=actor.parent_id,
        account_id=runnable.payer_id,
        key_id=actor.key_id,
        algorithm_id=runnable.algorithm_id,
        version_id=runnable.version_id,
        earner=runnable.earner_wallet_id,
        state=CallState.FAILED if failure else CallState.SUCCEEDED,
        error_type=failure.type[:40] if failure else "",
        error_message=_printable(failure.message) if failure else "",
        royalty=cost.royalty,
        compute=cost.compute,
        author_share=cost.author_share,
        queued_ms=outcome.queued_ms,
        started_ms=outcome.started_ms,
        loaded_ms=outcome.loaded_ms,
        ran_ms=outcome.ran_ms,
        duration_ms=duration_ms,
        created_at=now(),
    )


def _printable(message: str) -> str:
    """Cut a stranger's message to what the database takes: no NUL, no lone surrogates."""
    text = message.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text[:MESSAGE_LENGTH]
