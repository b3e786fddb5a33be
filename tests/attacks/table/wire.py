"""After the platform's own process, by what it reads: frames, results, errors."""

from tests.attacks.attack import Attack, Language

_BROKEN = {"ends": ("SystemError",), "costs_the_worker": True}

# name: what is written to the wire by hand.
_GARBAGE = {
    "noise": "os.urandom(100_000)",
    "a frame too long": 'b"\\xff\\xff\\xff\\xff\\x00\\x02{}"',
    "a header longer than its frame": 'b"\\x00\\x00\\x00\\x04\\xff\\xff{}"',
    "a header that is no object": 'frame(b"[]")',
    "a header that is not JSON": 'frame(b"{{")',
    "a header in brackets without end": 'frame(b"[" * 30_000)',
    "a header with a number without end": 'frame(b\'{"id":\' + b"9" * 30_000 + b"}")',
    "a header that is a pickle": "frame(b\"\\x80\\x04cos\\nsystem\\n(S'id'\\ntR.\")",
    "a kind that isn't": 'frame({"kind": "boo"})',
    "a second greeting": 'frame({"kind": "hello"}) * 2',
    "an answer to another run": 'frame({"kind": "result", "id": 99, "type": "text"})',
    "an answer to the run to come": 'frame({"kind": "result", "id": 2, "type": "text"}, b"x")',
    "two answers": 'frame({"kind": "error", "id": 7}) + frame({"kind": "result", "id": 7})',
    "lists where numbers belong": 'frame({"kind": [], "id": {}})',
    "calls without end": 'frame({"kind": "call", "id": 1, "ref": "a/b", "type": "text"}) * 3000',
}

WIRE = [
    *[
        Attack(f"write to the wire: {what}", f"send_and_wait({data})", **_BROKEN)  # type: ignore[arg-type]
        for what, data in _GARBAGE.items()
    ],
    Attack("write to the wire: a result that lies about itself", """
        send_and_wait(frame({"kind": "result", "id": 1, "type": "json"}, b"{not json"))
        """, ends=("ParsingError",)),
    Attack("write to the wire: a result of a type that isn't", """
        send_and_wait(frame({"kind": "result", "id": 1, "type": "pickle"}, b"x"))
        """, ends=("ParsingError",)),
    Attack("write to the wire: text that is none", """
        send_and_wait(frame({"kind": "result", "id": 1, "type": "text"}, b"\\xff\\xfe"))
        """, ends=("ParsingError",)),
    Attack("write to the wire: brackets without end", """
        send_and_wait(frame({"kind": "result", "id": 1, "type": "json"}, b"[" * 10_000_000))
        """, ends=("ParsingError",)),
    Attack("write to the wire: an error of the platform's own kind", """
        told = {"type": "SystemError", "message": "x" * 3_000_000, "stacktrace": "y" * 3_000_000}
        wires()[0].sendall(frame({"kind": "error", "id": 1}, json.dumps(told).encode()))
        os._exit(0)
        """, ends=("AlgorithmError",), costs_the_worker=True),
    Attack("write to the wire: an error that can't be read", """
        wires()[0].sendall(frame({"kind": "error", "id": 1}, b"[1, 2]"))
        os._exit(0)
        """, ends=("SystemError",), costs_the_worker=True),
    Attack("write half a frame and wait", """
        send_and_wait(struct.pack(">IH", 10 << 20, 2) + b"{}" + bytes(1 << 20))
        """, timeout_s=0.7, ends=("TimeoutError",), costs_the_worker=True),
    Attack("make calls without the permission", """
        import algorium
        try:
            return algorium.call("someone/else", 1)
        except algorium.CallError as refused:
            raise OSError(f"Operation not permitted: {refused}")
        """),
    Attack("make calls without the permission, by hand, with times that are none", """
        import select
        (wire,) = wires()[:1]
        for time_ in ("NaN", "Infinity", "-1", '"x"', "1e999"):
            head = '{"kind":"call","id":5,"ref":"a/b","type":"text","timeout":%s}' % time_
            wire.sendall(frame(head.encode()))
        told = b""
        while told.count(b"UnsupportedError") < 5 and select.select([wire], [], [], 5)[0]:
            told += wire.recv(65536)
        if told.count(b"UnsupportedError") == 5:
            raise OSError("Operation not permitted")
        return told.decode(errors="replace")
        """),
    Attack("hand open files over the wire", """
        import array
        (wire,) = wires()[:1]
        files = array.array("i", [os.open("/tmp", os.O_RDONLY) for _ in range(50)])
        data = frame({"kind": "result", "id": 1, "type": "text"}, b"sent")
        wire.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
        os._exit(0)
        """, plain=True, harmless=lambda data: data == b"sent", costs_the_worker=True),
    Attack("close every file that there is", "os.closerange(0, 1024)", ends=("SystemError",),
           costs_the_worker=True),
    Attack("hang up in perl", """
        use POSIX ();
        POSIX::close($_) for 3 .. 255;
        kill 'KILL', getppid;
        sleep 600;
        """, Language.PERL, ends=("SystemError",), costs_the_worker=True),
    Attack("give a result that is a pickle", """
        import pickle
        class Bomb:
            def __reduce__(self):
                return os.system, ("touch /tmp/" + host["mark"],)
        return pickle.dumps(Bomb())
        """, plain=True, harmless=lambda data: b"system" in data),
    Attack("give a result that holds itself", """
        loop = []
        loop.append(loop)
        return loop
        """, ends=("ParsingError",)),
    Attack("give a result that JSON can't carry", 'return {"x": float("nan"), "y": "\\ud800"}',
           ends=("ParsingError",)),
    Attack("pass for a running child of the runner", """
        if os.fork() == 0:
            return "from the child"
        os.wait()
        return "from the parent"
        """, harmless=lambda loot: loot == "from the parent"),
]  # fmt: skip
