"""The only way that an algorithm is ever run: hold, run, settle."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import structlog
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import select

from billing import pricing
from billing.groups import Group
from billing.ledger import HoldRequest, Ledger, Settlement, refusal
from billing.models import Call, CallState, Hold, Wallet
from billing.pricing import FREE, Charge
from catalog.names import Reference
from core.accounts.actor import Actor
from core.clock import now
from core.db import Sessions
from core.errors import BadInput, BadKey, SignInNeeded
from execution.cluster import Cluster
from execution.outcome import Failure, Outcome, Payload
from execution.resolve import Resolver, Runnable

log = structlog.get_logger()

DEFAULT_TIMEOUT_S = 300.0
LONGEST_TIMEOUT_S = 3000.0
DEEPEST = 5
# A hold outlives its call's deadline by this much, so that no call that still may be settled
# loses it; what a killed gateway held comes back after as long.
HOLD_GRACE = timedelta(seconds=60)
TOKEN = "call."  # noqa: S105 - a mark, no secret
MESSAGE_LENGTH = 500
# How long after each failed try the next one comes: about as long as a database's restart.
SETTLE_PAUSES_S = (0.1, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True)
class CallOptions:
    """What a caller may ask of one call."""

    timeout_s: float = DEFAULT_TIMEOUT_S
    wants_stdout: bool = False


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
        self, sessions: Sessions, ledger: Ledger, cluster: Cluster, *, home: Path, secret: str
    ) -> None:
        self._sessions = sessions
        self._cluster = cluster
        self._resolver = Resolver(sessions, home)
        self._holds: Group[HoldRequest, bool] = Group(ledger.hold)
        self._settlements: Group[Settlement, bool] = Group(ledger.settle)
        self._signer = URLSafeTimedSerializer(secret, salt="nested-call")
        self._running: set[asyncio.Task[Answer]] = set()

    async def call(
        self, actor: Actor, reference: Reference, payload: Payload, options: CallOptions
    ) -> Answer:
        """Run an algorithm once for the actor.

        Raises NotFound, BadInput, InsufficientCredits before anything runs. What the
        algorithm does wrong is in the answer's outcome and costs nothing. A caller who goes
        away ends nothing: the call runs on and is settled.
        """
        began = time.perf_counter()
        if actor.is_visitor:
            raise SignInNeeded(
                "A call needs a key. Send it as `Authorization: YOUR_KEY`. Nothing was charged."
            )
        if not 0 < options.timeout_s <= LONGEST_TIMEOUT_S:
            raise BadInput(
                f"The timeout must be above 0 and at most {LONGEST_TIMEOUT_S:.0f} seconds. "
                "Nothing was charged."
            )
        if actor.depth > DEEPEST:
            raise BadInput(
                f"Algorithms call each other at most {DEEPEST} deep. Nothing was charged."
            )
        runnable = await self._resolver.resolve(actor, reference)
        limit = pricing.most(royalty=runnable.royalty, timeout_s=options.timeout_s)
        call_id = uuid4()
        await self._hold(call_id, runnable, limit, options.timeout_s)
        task = asyncio.create_task(
            self._run(call_id, actor, runnable, payload, options, limit, began)
        )
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def actor_of_token(self, token: str) -> Actor:
        """Tell for whom a running algorithm calls another. Raises BadKey once it has ended."""
        try:
            account_id, key_id, parent_id, depth, public_only = self._signer.loads(
                token.removeprefix(TOKEN), max_age=int(LONGEST_TIMEOUT_S)
            )
        except (BadSignature, ValueError, TypeError) as error:
            raise BadKey("The call that this token belongs to has ended.") from error
        actor = Actor(
            account_id=UUID(account_id),
            key_id=UUID(key_id) if key_id else None,
            parent_id=UUID(parent_id),
            depth=depth,
            public_only=public_only,
        )
        async with self._sessions() as session:
            if await session.get(Hold, actor.parent_id) is None:
                raise BadKey("The call that this token belongs to has ended.")
        return actor

    async def drain(self) -> None:
        """Wait until every call under way is settled."""
        while self._running:
            await asyncio.wait(self._running)

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
        limit: int,
        began: float,
    ) -> Answer:
        try:
            outcome = await self._cluster.invoke(
                runnable.artefact,
                payload,
                call_id=str(call_id),
                timeout_s=options.timeout_s,
                wants_stdout=options.wants_stdout and runnable.owned,
                token=self._token(call_id, actor, runnable)
                if runnable.artefact.calls_others
                else "",
            )
        except Exception:
            # A bug of ours: what was held must come back at once all the same.
            log.exception("a run failed inside the platform", call=str(call_id))
            outcome = Outcome(None, Failure("SystemError", "The platform failed. Try again."))
        if outcome.failure is not None and not runnable.owned:
            # The trace quotes lines of the source, which is its author's alone to read.
            outcome = replace(outcome, failure=replace(outcome.failure, stacktrace=""))
        cost = (
            FREE
            if outcome.failure is not None
            else pricing.charge(royalty=runnable.royalty, ran_ms=outcome.ran_ms, limit=limit)
        )
        duration_ms = (time.perf_counter() - began) * 1000
        ended = _settlement(call_id, actor, runnable, outcome, cost, duration_ms)
        if not await self._settle(ended):
            cost = FREE
        return Answer(
            call_id=call_id,
            number=runnable.number,
            outcome=outcome,
            charge=cost,
            duration_ms=duration_ms,
            stdout=outcome.stdout if options.wants_stdout and runnable.owned else None,
        )

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

    def _token(self, call_id: UUID, actor: Actor, runnable: Runnable) -> str:
        key = str(actor.key_id) if actor.key_id else None
        public_only = actor.public_only or not runnable.owned
        parts = [str(actor.account_id), key, str(call_id), actor.depth + 1, public_only]
        return TOKEN + str(self._signer.dumps(parts))


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
