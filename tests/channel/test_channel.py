"""Gateways and replicas over their own connections, both ends real, on this machine."""

import asyncio
import dataclasses
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from execution.applications import own_application
from execution.channel import handshake
from execution.channel.frames import Decoder, FrameError, Message, encode
from execution.channel.link import Link, LinkLost
from execution.channel.links import Entry, Links, NoReplica
from execution.channel.server import Server
from execution.messages import Run, pack_run
from execution.outcome import Artefact, ContentType, Failure, Outcome, Payload
from execution.sandbox.nesting import OnCall

SECRET = b"what both know"
HOST = "127.0.0.1"


@dataclass
class Replica:
    """Answers by what the payload says; notes what was cancelled."""

    begun: int = 0
    cancelled: int = 0
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    server: Server | None = None
    port: int = 0

    async def run(self, run: Run, on_call: OnCall) -> Outcome:
        self.begun += 1
        said = run.payload.data
        try:
            if said == b"wait":
                await self.goes_on.wait()
            if said.startswith(b"call "):
                answer = await on_call(said[5:].decode(), run.payload)
                if isinstance(answer, Failure):
                    return Outcome(None, answer)
                return Outcome(answer, None)
            if said == b"give up on what it called":
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await on_call("never", run.payload)
            if said == b"odd":
                return Outcome(None, Failure("InputError", "half a pair: \ud800"))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Outcome(run.payload, None, stdout="said", queued_ms=1.5, ran_ms=2.5)

    async def open(self) -> "Replica":
        self.server = Server(self.run, SECRET)
        self.port = await self.server.open(HOST)
        return self


def asked(said: bytes = b"hi", *, version: str = "v1", timeout_s: float = 20) -> Run:
    artefact = Artefact(version, "Echo", "/s", "/e", 256, calls_others=True)
    return Run(artefact, Payload(ContentType.BINARY, said), "c1", timeout_s, payer="p", depth=1)


@pytest.fixture
async def replica() -> AsyncIterator[Replica]:
    made = await Replica().open()
    yield made
    made.goes_on.set()
    assert made.server is not None
    await made.server.close()


@pytest.fixture
async def link(replica: Replica) -> AsyncIterator[Link]:
    made = await Link.open(HOST, replica.port, SECRET)
    yield made
    made.close()


async def until(holds: object) -> None:
    async with asyncio.timeout(10):
        while not holds():  # type: ignore[operator]
            await asyncio.sleep(0.005)


async def test_what_is_asked_and_answered_arrives_as_it_was(link: Link) -> None:
    large = bytes(range(256)) * 40_000
    first, second = await asyncio.gather(
        link.run(asked(large), None), link.run(asked(b"odd"), None)
    )
    assert first == Outcome(
        Payload(ContentType.BINARY, large), None, stdout="said", queued_ms=1.5, ran_ms=2.5
    )
    assert second.failure == Failure("InputError", "half a pair: \ud800")


async def test_a_slow_run_holds_no_other_back(link: Link, replica: Replica) -> None:
    slow = asyncio.create_task(link.run(asked(b"wait"), None))
    await until(lambda: replica.begun)
    assert (await link.run(asked(), None)).failure is None
    assert not slow.done()
    replica.goes_on.set()
    await slow


async def test_cancelling_a_run_ends_it_in_the_replica(link: Link, replica: Replica) -> None:
    slow = asyncio.create_task(link.run(asked(b"wait"), None))
    await until(lambda: replica.begun)
    slow.cancel()
    await until(lambda: replica.cancelled)
    assert link.under_way == 0


async def test_a_gateway_that_goes_away_ends_what_it_asked_for(
    link: Link, replica: Replica
) -> None:
    slow = asyncio.create_task(link.run(asked(b"wait"), None))
    await until(lambda: replica.begun)
    link.close()
    with pytest.raises(LinkLost):
        await slow
    await until(lambda: replica.cancelled)
    with pytest.raises(LinkLost):
        await link.run(asked(), None)


async def test_calls_inside_calls_come_back_to_whoever_asked(link: Link) -> None:
    async def on_call(reference: str, payload: Payload) -> Payload | Failure:
        if reference == "none":
            return Failure("EntityNotFoundError", "no such")
        return Payload(ContentType.TEXT, reference.encode())

    async def no_call(_: str, __: Payload) -> Payload | Failure:
        raise AssertionError

    one, other, refused = await asyncio.gather(
        link.run(asked(b"call a/B"), on_call),
        link.run(asked(b"call none"), on_call),
        link.run(asked(b"call a/B"), None),
    )
    assert one.result == Payload(ContentType.TEXT, b"a/B")
    assert other.failure == Failure("EntityNotFoundError", "no such")
    assert refused.failure is not None
    assert refused.failure.type == "UnsupportedError"
    assert (await link.run(asked(), no_call)).failure is None


@pytest.mark.parametrize("end", ["the run is cancelled", "the run gives up on it"])
async def test_what_a_run_called_ends_with_it(link: Link, replica: Replica, end: str) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def never(_: str, __: Payload) -> Payload | Failure:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    said = b"call never" if end == "the run is cancelled" else b"give up on what it called"
    run = asyncio.create_task(link.run(asked(said), never))
    async with asyncio.timeout(10):
        await begun.wait()
        if end == "the run is cancelled":
            run.cancel()
        await ended.wait()
        await asyncio.gather(run, return_exceptions=True)
    assert replica.begun == 1


async def test_only_those_who_know_the_secret_talk(replica: Replica) -> None:
    with pytest.raises(LinkLost):
        await Link.open(HOST, replica.port, b"something else")
    reader, writer = await asyncio.open_connection(HOST, replica.port)
    writer.write(encode(["run", 1, []]))
    assert await reader.read() == b""
    reader, writer = await asyncio.open_connection(HOST, replica.port)
    writer.write(encode(["hello", 2**40]))
    assert await reader.read() == b""
    reader, writer = await asyncio.open_connection(HOST, replica.port)
    writer.write(encode(["hello", b"x" * 32]))
    await reader.read(10)
    writer.write(encode(["proof", b"\0" * 32]))
    await reader.read()
    writer.close()
    assert replica.begun == 0


async def test_a_stranger_on_a_replicas_port_is_sent_nothing() -> None:
    heard, over = bytearray(), asyncio.Event()

    async def pretend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(encode(["hello", b"y" * 32, b"z" * 32]))
        with suppress(ConnectionResetError):
            while data := await reader.read(1000):
                heard.extend(data)
        writer.close()
        over.set()

    server = await asyncio.start_server(pretend, HOST, 0)
    with pytest.raises(LinkLost):
        await Link.open(HOST, server.sockets[0].getsockname()[1], SECRET)
    await asyncio.wait_for(over.wait(), 10)
    server.close()
    (hello,) = Decoder().feed(bytes(heard))
    assert hello[0] == "hello"


async def test_a_run_may_come_in_one_piece_with_the_proof(replica: Replica) -> None:
    """As it does where the replica is busy and many calls waited for the connection."""
    reader, writer = await asyncio.open_connection(HOST, replica.port)
    decoder, nonce = Decoder(), handshake.nonce()
    writer.write(encode(["hello", nonce]))
    found: list[Message] = []
    while not found and not reader.at_eof():
        found = list(decoder.feed(await reader.read(1000)))
    proof = handshake.proof(SECRET, b"gateway", nonce, found[0][1])
    writer.write(encode(["proof", proof]) + encode(["run", 1, pack_run(asked(bytes(1000)))]))
    found = []
    while not found and not reader.at_eof():
        found = list(decoder.feed(await reader.read(5000)))
    assert [message[:2] for message in found] == [["outcome", 1]]
    writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"\xff\xff\xff\xff",
        b"\0\0\0\1\xc1",
        b"\0\0\0\1\x01",
        b"\0\0\0\1\x90",
        encode(["dance"])[:-5] + b"\x91\x01",
    ],
    ids=["too long", "no MessagePack", "no list", "empty", "no kind"],
)
def test_what_breaks_the_format_is_refused(sent: bytes) -> None:
    with pytest.raises(FrameError):
        list(Decoder().feed(sent + bytes(8)))


def test_a_message_arrives_whole_however_it_is_cut() -> None:
    sent = encode(["a", b"12345"]) + encode(["b", 2])
    decoder = Decoder()
    found = [message for n in range(len(sent)) for message in decoder.feed(sent[n : n + 1])]
    assert found == [["a", b"12345"], ["b", 2]]


class Book:
    """A directory in memory."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.broken = False

    async def replicas(self) -> Mapping[str, Entry]:
        if self.broken:
            raise ConnectionError("no head")
        return dict(self.entries)

    async def enter(self, name: str, entry: Entry) -> None:
        self.entries[name] = entry

    async def forget(self, name: str) -> None:
        self.entries.pop(name, None)


@pytest.fixture
async def book(replica: Replica) -> Book:
    made = Book()
    made.entries["one"] = Entry(HOST, replica.port)
    return made


@pytest.fixture
async def links(book: Book) -> AsyncIterator[Links]:
    made = Links(book, SECRET)
    yield made
    made.close()


async def test_a_call_waits_for_the_first_replica(links: Links, book: Book) -> None:
    entries, book.entries = book.entries, {}
    book.broken = True
    assert not await links.ready(0.05)
    waiting = asyncio.create_task(links.run(asked(), None, wait_s=20))
    await asyncio.sleep(0.05)
    book.broken = False
    book.entries = entries
    assert (await waiting).failure is None
    assert await links.ready(0.05)


async def test_a_call_for_other_hardware_waits_for_replicas_of_its_own_and_lets_it_be_known(
    links: Links, book: Book, replica: Replica
) -> None:
    gpu = dataclasses.replace(asked(version="v1"), hardware="gpu")
    waiting = [asyncio.create_task(links.run(gpu, None, wait_s=20)) for _ in range(3)]
    await until(lambda: any(entry.load == {"v1": 3.0} for entry in book.entries.values()))
    assert replica.begun == 0
    book.entries["own"] = Entry(HOST, replica.port, own_application("v1"))
    outcomes = await asyncio.gather(*waiting)
    assert all(outcome.failure is None and outcome.queued_ms > 1.5 for outcome in outcomes)
    await until(lambda: set(book.entries) == {"one", "own"})


async def test_hardware_that_never_comes_ends_a_call_in_time_and_nothing_waits_on(
    links: Links, book: Book
) -> None:
    with pytest.raises(NoReplica):
        await links.run(dataclasses.replace(asked(), hardware="gpu"), None, wait_s=0.1)
    await until(lambda: set(book.entries) == {"one"})


async def test_without_a_replica_a_call_ends_in_time(links: Links, book: Book) -> None:
    book.entries.clear()
    with pytest.raises(TimeoutError):
        await links.run(asked(), None, wait_s=0.1)


async def test_who_is_not_there_is_struck_off(links: Links, book: Book) -> None:
    book.entries["gone"] = Entry(HOST, 1)
    assert (await links.run(asked(), None, wait_s=20)).failure is None
    assert set(book.entries) == {"one"}


async def test_calls_spread_over_replicas_and_versions_stay_where_they_are_warm(
    links: Links, book: Book, replica: Replica
) -> None:
    other = await Replica().open()
    book.entries["two"] = Entry(HOST, other.port)
    for _ in range(5):
        await links.run(asked(version="same"), None, wait_s=20)
    assert {replica.begun, other.begun} == {0, 5}
    for n in range(40):
        await links.run(asked(version=f"version {n}"), None, wait_s=20)
    assert min(replica.begun, other.begun) > 5

    before = replica.begun, other.begun
    waiting = [asyncio.create_task(links.run(asked(b"wait"), None, wait_s=20)) for _ in range(20)]
    await until(lambda: replica.begun + other.begun == sum(before) + 20)
    assert min(replica.begun - before[0], other.begun - before[1]) >= 7
    for one in (replica, other):
        one.goes_on.set()
    await asyncio.gather(*waiting)
    assert other.server is not None
    await other.server.close()


async def test_a_replica_that_leaves_ends_its_calls_and_gets_no_more(
    links: Links, book: Book, replica: Replica
) -> None:
    under_way = asyncio.create_task(links.run(asked(b"wait"), None, wait_s=20))
    await until(lambda: replica.begun)
    new = await Replica().open()
    book.entries = {"two": Entry(HOST, new.port)}
    assert replica.server is not None
    leaving = asyncio.create_task(replica.server.close())
    await asyncio.sleep(0.05)
    assert (await links.run(asked(), None, wait_s=20)).failure is None
    assert (replica.begun, new.begun) == (1, 1)
    replica.goes_on.set()
    assert (await under_way).failure is None
    await leaving
    assert new.server is not None
    links.close()
    await new.server.close()


async def test_a_machine_that_is_gone_without_a_word_is_noticed(link: Link) -> None:
    assert link._transport is not None
    end = link._transport.get_extra_info("socket")
    assert end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    idle, every, tries = (
        end.getsockopt(socket.IPPROTO_TCP, option)
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    )
    assert idle + every * tries <= 15
    assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 15_000


async def test_one_that_says_nothing_of_itself_is_sent_nothing_more(
    links: Links, book: Book, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await Replica().open()
    await links.run(asked(), None, wait_s=20)
    book.entries = {"other": Entry(HOST, other.port)}
    monkeypatch.setattr("execution.channel.links.GONE_S", 0.0)
    async with asyncio.timeout(20):
        for _ in range(2):
            await links._read_directory()
        begun = replica.begun
        for _ in range(5):
            await links.run(asked(), None, wait_s=20)
    assert (replica.begun, other.begun) == (begun, 5)
    assert other.server is not None
    await other.server.close()
