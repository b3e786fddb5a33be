"""After the machine's memory, processes, disk and time."""

from dataclasses import replace

from tests.attacks.attack import LIMITS, Attack, Language

_WATCHED = ("SystemError",)  # where the kernel keeps no limit for root, the watch does
_SMALL = replace(LIMITS, memory_mib=64)
_PROCESSES = LIMITS.processes + 4


def _few(count: int) -> bool:
    return count <= _PROCESSES


BOMBS = [
    Attack(
        "fork without end",
        """
        count = 0
        try:
            while count < 2000:
                if os.fork() == 0:
                    time.sleep(600)
                    os._exit(0)
                count += 1
        except OSError:
            return count
        """,
        harmless=_few,
        ends=_WATCHED,
        costs_the_worker=True,
    ),
    Attack(
        "fork without end in children and their children",
        """
        first = os.getpid()
        for _ in range(11):
            try:
                os.fork()
            except OSError:
                break
        if os.getpid() != first:
            time.sleep(600)
            os._exit(0)
        return 1
        """,
        harmless=_few,
        ends=_WATCHED,
        costs_the_worker=True,
    ),
    Attack(
        "fork without end in perl",
        """
        for (1 .. 2000) {
            my $child = fork;
            defined $child or die "$!\\n";
            unless ($child) { close STDOUT; close STDERR; sleep 600; exit }
        }
        print "2000";
        """,
        Language.PERL,
        refused="Resource temporarily unavailable",
        ends=_WATCHED,
        costs_the_worker=True,
    ),
    Attack(
        "fork without end in sh",
        """
        n=0
        while [ $n -lt 2000 ]; do sleep 600 >/dev/null 2>&1 & n=$((n + 1)); done
        echo $n
        """,
        Language.SHELL,
        refused="[Ff]ork",
        ends=_WATCHED,
        costs_the_worker=True,
    ),
    Attack(
        "start threads without end",
        """
        import _thread
        count = 0
        try:
            while count < 500:
                _thread.start_new_thread(time.sleep, (600,))
                count += 1
        except RuntimeError:
            pass
        time.sleep(1)
        return count
        """,
        harmless=_few,
        ends=_WATCHED,
    ),
    Attack(
        "take memory without end",
        """
        held = [bytearray(8 << 20) for _ in range(500)]
        return len(held)
        """,
        limits=_SMALL,
        ends=("OutOfMemoryError",),
    ),
    Attack(
        "take memory without end in a child",
        """
        bomb = "held = [bytearray(8 << 20) for _ in range(500)]"
        return subprocess.run([sys.executable, "-c", bomb]).returncode + 1000
        """,
        limits=_SMALL,
        ends=("OutOfMemoryError",),
    ),
    Attack(
        "take memory without end in perl",
        """
        my @held;
        push @held, "x" x (8 << 20) for 1 .. 500;
        print scalar @held;
        """,
        Language.PERL,
        limits=_SMALL,
        ends=("OutOfMemoryError",),
    ),
    Attack(
        "take memory in many processes, a little each",
        """
        for _ in range(8):
            if os.fork() == 0:
                held = os.urandom(12 << 20)
                time.sleep(600)
        time.sleep(2)
        return "held"
        """,
        limits=_SMALL,
        ends=("OutOfMemoryError", "TimeoutError"),
        timeout_s=5,
    ),
    Attack(
        "take memory that is shared",
        """
        import mmap
        held = mmap.mmap(-1, 512 << 20)
        for at in range(0, 512 << 20, 4096):
            held[at] = 1
        return "held"
        """,
        limits=_SMALL,
        ends=("OutOfMemoryError",),
    ),
    Attack(
        "take memory with empty files",
        """
        for number in range(150_000):
            os.mknod(f"/tmp/{number}")
        time.sleep(1)
        return number
        """,
        limits=_SMALL,
        ends=("OutOfMemoryError",),
    ),
    Attack(
        "take memory with files and more",
        """
        for folder in ("/tmp", "/dev/shm"):
            with open(folder + "/x", "wb") as file:
                file.write(os.urandom(20 << 20))
        held = os.urandom(40 << 20)
        time.sleep(20)
        return "held"
        """,
        limits=replace(_SMALL, tmp_mib=24, file_mib=24),
        ends=("OutOfMemoryError",),
    ),
]

RESOURCES = [
    Attack("fill the disk", """
        written = 0
        for folder in ("/tmp", "/dev/shm"):
            try:
                for number in range(64):
                    with open(f"{folder}/{number}", "wb") as file:
                        file.write(bytes(1 << 20))
                    written += 1
            except OSError:
                pass
        return written
        """, harmless=lambda mib: mib <= 2 * LIMITS.tmp_mib),
    Attack("fill the disk in sh", """
        dd if=/dev/zero of=/tmp/x bs=1M count=64 2>&1 && echo filled
        """, Language.SHELL, refused="nothing was to be had|File size limit"),
    Attack("make a file that is larger than the disk", """
        with open("/tmp/x", "wb") as file:
            file.truncate(1 << 40)
        return "made"
        """, refused="File too large"),
    Attack("use up all descriptors", """
        held = []
        try:
            while len(held) < 5000:
                held.append(open("/dev/null"))
        except OSError:
            return len(held)
        """, harmless=lambda count: count <= LIMITS.open_files),
    Attack("use up the memory of pipes", """
        import fcntl
        held, filled = [], 0
        try:
            while len(held) < 2000:
                ends = os.pipe()
                held.append(ends)
                fcntl.fcntl(ends[1], 1031, 1 << 20)
                os.set_blocking(ends[1], False)
                filled += os.write(ends[1], bytes(1 << 20))
        except OSError:
            return filled >> 20
        """, ends=("OutOfMemoryError",), harmless=lambda mib: mib <= LIMITS.memory_mib),
    Attack("use up all terminals", """
        held = []
        while len(held) < 100:
            held.append(os.open("/dev/ptmx", os.O_RDWR))
        return len(held)
        """),
    Attack("make folders in folders without end", """
        made = 0
        try:
            while made < 3000:
                os.mkdir("x" * 200)
                os.chdir("x" * 200)
                made += 1
        finally:
            os.chdir("/tmp")
        return made
        """, harmless=lambda made: made == 3000),
    Attack("spin past the deadline", """
        while True:
            pass
        """, timeout_s=0.5, ends=("TimeoutError",), costs_the_worker=True),
    Attack("spin past the deadline in perl", "1 while 1;", Language.PERL,
           timeout_s=0.5, ends=("TimeoutError",), costs_the_worker=True),
    Attack("spin past the deadline, deaf to signals, in many processes", """
        import signal
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        for _ in range(4):
            os.fork()
        while True:
            pass
        """, timeout_s=0.5, ends=("TimeoutError",), costs_the_worker=True),
    Attack("stop itself past the deadline", "os.kill(os.getpid(), 19)",
           timeout_s=0.5, ends=("TimeoutError",), costs_the_worker=True),
    Attack("wait in the kernel past the deadline", "libc.sleep(600)",
           timeout_s=0.5, ends=("TimeoutError",), costs_the_worker=True),
    Attack("outlive the call by a double fork", """
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.closerange(0, 256)
                time.sleep(600)
            os._exit(0)
        os.wait()
        return "left"
        """, harmless=lambda _: True, costs_the_worker=True),
    Attack("outlive the call in sh", """
        setsid sh -c 'trap "" HUP TERM; sleep 600' >/dev/null 2>&1 </dev/null & echo left
        """, Language.SHELL, harmless=lambda _: True, costs_the_worker=True),
    Attack("outlive the call in perl", """
        unless (fork) { close STDIN; close STDOUT; close STDERR; setpgrp; sleep 600; exit }
        print "left";
        """, Language.PERL, harmless=lambda _: True, costs_the_worker=True),
    Attack("outlive the call in a thread", """
        threading.Thread(target=time.sleep, args=(600,)).start()
        return "left"
        """, harmless=lambda _: True, costs_the_worker=True),
    Attack("crash by recursion without end", """
        sys.setrecursionlimit(1 << 30)
        def down(n):
            return [down(n + 1)]
        return down(0)
        """, ends=("SystemError", "OutOfMemoryError", "AlgorithmError")),
    Attack("crash by a wild pointer", "ctypes.string_at(1)", ends=("SystemError",)),
    Attack("flood the output", """
        for _ in range(30):
            os.write(1, b"x" * (1 << 20))
            os.write(2, b"\\x1b[2J\\xff\\n" * 1000)
        return "flooded"
        """, harmless=lambda _: True),
    Attack("flood the output in perl", """
        print STDERR "x" x (1 << 20) for 1 .. 20; print "flooded";
        """, Language.PERL, harmless=lambda _: True),
    Attack("flood the log with an error without end", 'raise ValueError("x\\n" * (10 << 20))',
           ends=("AlgorithmError",)),
    Attack("give more than can be carried", 'return "x" * (16 << 20)', ends=("TooLargeError",)),
]  # fmt: skip
