"""After the kernel itself, by system calls that no library offers."""

from tests.attacks.attack import Attack, Language

K = Language.KERNEL

KERNEL = [
    Attack("trace another process", 'return call("ptrace", 0x4206, host["victim"], 0, 0) + 1', K,
           works_outside=True),
    Attack("trace a child", """
        child = os.fork()
        if child == 0:
            time.sleep(20)
            os._exit(0)
        try:
            return call("ptrace", 0x4206, child, 0, 0) + 1
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
        """, K, works_outside=True),
    Attack("read another process's memory by a call", """
        held = ctypes.create_string_buffer(8)
        ours = (ctypes.c_ulong * 2)(ctypes.addressof(held), 8)
        with open(f"/proc/{host['victim']}/maps") as maps:
            first = int(maps.readline().split("-")[0], 16)
        theirs = (ctypes.c_ulong * 2)(first, 8)
        return call("process_vm_readv", host["victim"], ours, 1, theirs, 1, 0)
        """, K, works_outside=True),
    Attack("read its first process's memory by a call", """
        held = ctypes.create_string_buffer(8)
        ours = (ctypes.c_ulong * 2)(ctypes.addressof(held), 8)
        return call("process_vm_readv", 1, ours, 1, ours, 1, 0)
        """, K),
    Attack("take a file from another process", """
        return call("pidfd_getfd", os.pidfd_open(os.getppid() or 1), 0, 0) + 1
        """, K),
    *[
        Attack(f"make a namespace of kind {flag:#x}", f"""
            try:
                return call("unshare", {flag}) + 1
            except OSError:
                return call("clone", {flag} | 17, 0, 0, 0, 0) or os._exit(0)
            """, K)
        for flag in (0x10000000, 0x00020000, 0x20000000, 0x40000000, 0x08000000, 0x04000000)
    ],
    Attack("make a namespace by the newer call", """
        arguments = (ctypes.c_ulong * 11)(0x10000000, 0, 0, 0, 17)
        return call("clone3", arguments, 88) or os._exit(0)
        """, K),
    Attack("enter another's namespace", """
        kinds = ("mnt", "net", "pid", "user", "ipc", "uts")
        def enter(process, kind):
            call("setns", os.open(f"/proc/{process}/ns/{kind}", os.O_RDONLY), 0)
        return all_that_work({
            (p, k): lambda p=p, k=k: enter(p, k) for p in (1, host["victim"]) for k in kinds
        })
        """, K),
    Attack("mount", """
        return all_that_work({
            "mount": lambda: call("mount", b"none", b"/tmp", b"tmpfs", 0, 0),
            "again": lambda: call("mount", b"none", b"/", b"", 32 | 4096, 0),
            "unmount": lambda: call("umount2", b"/proc", 2),
            "open": lambda: call("fsopen", b"ext4", 0),
            "tree": lambda: call("open_tree", -100, b"/", 1),
            "move": lambda: call("move_mount", -100, b"/usr", -100, b"/tmp", 0),
            "attributes": lambda: call("mount_setattr", -100, b"/", 0, 0, 0),
        })
        """, K),
    Attack("mount in sh", "mount -t tmpfs none /tmp 2>&1 && echo mounted", Language.SHELL,
           refused="nothing was to be had"),
    Attack("change the root", """
        return all_that_work({
            "chroot": lambda: call("chroot", b"/tmp"),
            "pivot": lambda: call("pivot_root", b"/tmp", b"/tmp"),
        })
        """, K),
    Attack("open a file by its handle", """
        handle = ctypes.create_string_buffer(struct.pack("IiQ", 8, 1, 2), 144)
        return call("open_by_handle_at", os.open("/", os.O_RDONLY), handle, 0)
        """, K),
    Attack("use keys of the machine", """
        key = ctypes.c_char_p(b"user")
        return all_that_work({
            "keyctl": lambda: call("keyctl", 0, -3, 1),
            "add": lambda: call("add_key", key, b"algorium", b"x", 1, -3),
            "request": lambda: call("request_key", key, b"algorium", 0, -3),
        })
        """, K, works_outside=True),
    Attack("load a program into the kernel", """
        return all_that_work({
            "bpf": lambda: call("bpf", 0, ctypes.create_string_buffer(128), 128),
            "module": lambda: call("init_module", b"x", 1, b""),
            "module file": lambda: call("finit_module", 0, b"", 0),
            "no module": lambda: call("delete_module", b"algorium", 0o4000),
            "kernel": lambda: call("kexec_load", 0, 0, 0, 0),
        })
        """, K),
    Attack("watch the processor, faults and files of the machine", """
        counter = ctypes.create_string_buffer(struct.pack("II", 1, 112), 112)
        return all_that_work({
            "perf": lambda: call("perf_event_open", counter, 0, -1, -1, 0),
            "faults": lambda: call("userfaultfd", 0),
            "files": lambda: call("fanotify_init", 0, 0),
            "log": lambda: call("syslog", 3, ctypes.create_string_buffer(64), 64),
            "compare": lambda: call("kcmp", 1, 1, 0, 0, 0),
        })
        """, K),
    Attack("use rings, queues and watches whose number is the machine's", """
        ring = ctypes.create_string_buffer(256)
        context = ctypes.c_ulong()
        return all_that_work({
            "ring": lambda: call("io_uring_setup", 8, ring),
            "asynchronous": lambda: call("io_setup", 60_000, ctypes.byref(context)),
            "watch": lambda: call("inotify_init1", 0),
            "queue": lambda: call("msgget", 0x41, 0o1666),
            "named queue": lambda: call("mq_open", b"algorium", 0o102, 0o666, 0),
            "semaphores": lambda: call("semget", 0x41, 1, 0o1666),
            "shared": lambda: call("shmget", 0x41, 4096, 0o1666),
            "file in memory": lambda: call("memfd_create", b"algorium", 0),
        })
        """, K),
    Attack("set the machine's clock and name, and end it", """
        time_ = (ctypes.c_long * 2)(0, 0)
        return all_that_work({
            "clock": lambda: call("clock_settime", 0, time_),
            "day": lambda: call("settimeofday", time_, 0),
            "name": lambda: call("sethostname", b"algorium-escape", 15),
            "reboot": lambda: call("reboot", 0xfee1dead, 672274793, 0, 0),
            "swap": lambda: call("swapon", b"/tmp/x", 0),
            "accounting": lambda: call("acct", b"/tmp/x"),
        })
        """, K),
    Attack("type into a terminal", """
        import fcntl
        def type_(fd):
            fcntl.ioctl(fd, 0x5412, b"x")
        return all_that_work({fd: lambda fd=fd: type_(fd) for fd in (0, 1, 2)})
        """, K),
    Attack("go around the filter by 32-bit calls", """
        import mmap, platform
        if platform.machine() != "x86_64":
            raise OSError("Function not implemented")
        code = bytes.fromhex("53" "b814000000" "cd80" "5b" "c3")  # getpid, by int 0x80
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(code)
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        return ctypes.CFUNCTYPE(ctypes.c_int)(address)()
        """, K, works_outside=True, ends=("SystemError",)),
    Attack("go around the filter by calls of other sorts", """
        NUMBERS["x32 ptrace"], NUMBERS["x32 unshare"] = 0x40000000 + 521, 0x40000000 + 272
        return all_that_work({
            "x32": lambda: call("x32 ptrace", 16, 1, 0, 0),
            "x32 namespace": lambda: call("x32 unshare", 0x10000000),
            "the future": lambda: call("a call of the future"),
        })
        """, K),
    Attack("take the filter off", """
        return all_that_work({
            "none": lambda: call("prctl", 22, 0, 0, 0, 0),
            "privileges": lambda: call("prctl", 38, 0, 0, 0, 0),
        })
        """, K, refused="Invalid argument|not permitted"),
]  # fmt: skip
