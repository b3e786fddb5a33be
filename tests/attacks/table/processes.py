"""After other processes, their memory and their environment, and after privileges."""

from tests.attacks.attack import Attack, Language

PROCESSES = [
    Attack("read a program's environment", """
        return open(f"/proc/{host['victim']}/environ").read()
        """, works_outside=True),
    Attack("read a program's memory", """
        process = f"/proc/{host['victim']}"
        with open(process + "/maps") as maps, open(process + "/mem", "rb", 0) as memory:
            for line in maps:
                first, last = (int(n, 16) for n in line.split()[0].split("-"))
                if "rw" in line and last - first < 1 << 28:
                    memory.seek(first)
                    if host["abstract"].encode() in memory.read(last - first):
                        return line
        """, works_outside=True),
    Attack("find the word in any environment or command line", """
        found = b""
        for process in os.listdir("/proc"):
            for file in ("environ", "cmdline", "comm"):
                try:
                    found += open(f"/proc/{process}/{file}", "rb").read()
                except OSError:
                    pass
        return host["abstract"] if host["abstract"].encode() in found else None
        """, works_outside=True),
    Attack("find the word in its own environment", """
        return {n: v for n, v in os.environ.items() if host["abstract"] in v or "ALGORIUM" in n}
        """),
    Attack("find the word in the memory of the sandbox itself", """
        word = host.pop("abstract").encode()
        found = []
        for process in (n for n in os.listdir("/proc") if n.isdigit() and int(n) != os.getpid()):
            try:
                with open(f"/proc/{process}/maps") as maps, open(f"/proc/{process}/mem", "rb", 0) as memory:
                    for line in maps:
                        first, last = (int(n, 16) for n in line.split()[0].split("-"))
                        memory.seek(first)
                        if word in memory.read(min(last - first, 1 << 24)):
                            found.append(line)
            except (OSError, OverflowError, ValueError):
                pass
        return found
        """),
    Attack("see processes of the machine", """
        return [n for n in os.listdir("/proc") if n.isdigit() and int(n) not in (1, os.getpid())]
        """, works_outside=True),
    Attack("see processes of the machine in perl", """
        my @seen = grep { $_ != 1 && $_ != $$ && $_ != getppid() } grep { /^\\d+$/ }
            map { s{/proc/}{}r } glob("/proc/*");
        @seen or die "nothing was to be had\\n"; print "@seen";
        """, Language.PERL, works_outside=True),
    Attack("signal a process of the machine", """
        os.kill(host["victim"], 0)
        return "could be signalled"
        """, works_outside=True),
    Attack("end processes of the machine", """
        def end(process):
            os.kill(process, 9)
        return all_that_work({p: lambda p=p: end(p) for p in (host["victim"], host["platform"])})
        """),
    Attack("end the platform in sh", 'kill -9 "$platform" "$victim" && echo ended', Language.SHELL),
    Attack("end every process that can be seen, in perl", """
        my $ended = kill('KILL', $ENV{victim}, $ENV{platform});
        $ended or die "$!\\n"; print $ended;
        """, Language.PERL),
    Attack("end all of its own, the first process too", """
        os.kill(1, 9)
        os.kill(-1, 9)
        return "ended"
        """, ends=("SystemError",)),
    Attack("open a process of the machine by its number", """
        return os.pidfd_open(host["victim"]) + 1
        """, works_outside=True),
    Attack("slow the machine down by another's priority", """
        os.setpriority(os.PRIO_PROCESS, host["victim"], 19)
        return "slowed"
        """),
    Attack("go first in every queue", """
        def realtime():
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
        def disk():
            call("ioprio_set", 1, 0, 1 << 13)
        return all_that_work({"nice": lambda: os.nice(-15), "realtime": realtime, "disk": disk})
        """),
    Attack("become root", """
        def groups():
            os.setgroups([0])
        return all_that_work({
            "user": lambda: os.setuid(0), "group": lambda: os.setgid(0), "groups": groups,
            "all": lambda: os.setresuid(0, 0, 0), "files": lambda: call("setfsuid", 0) and os.stat("/x"),
        })
        """),
    Attack("hold a privilege", """
        status = open("/proc/self/status").read()
        held = re.findall(r"Cap(?:Prm|Eff|Amb):\\s*(\\w+)", status)
        return [h for h in held if int(h, 16)] + (
            [] if "NoNewPrivs:\\t1" in status and "Seccomp:\\t2" in status else ["no filter"]
        )
        """),
    Attack("become root by a program that is root's", """
        def users(program):
            done = subprocess.run([program, "-c", "id -u"], capture_output=True, timeout=10,
                                  stdin=subprocess.DEVNULL, text=True)
            if done.stdout.strip() != "0":
                raise OSError(done.stderr.strip()[:80] + " nothing was to be had")
        found = [
            path for folder in ("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec")
            for path in glob.glob(folder + "/*")
            if os.path.isfile(path) and os.stat(path).st_mode & stat.S_ISUID
        ]
        return all_that_work({p: lambda p=p: users(p) for p in found if p.endswith(("su", "sh"))})
        """),
    Attack("become root by a program of its own making", """
        with open("/usr/bin/id", "rb") as program, open("/tmp/id", "wb") as copy:
            copy.write(program.read())
        os.chmod("/tmp/id", 0o6755)
        shown = subprocess.run(["/tmp/id"], capture_output=True, text=True).stdout
        return shown if "=0(" in shown else None
        """),
    Attack("change the program that the sandbox is entered by", """
        names = {"write": os.O_WRONLY, "truncate": os.O_WRONLY | os.O_TRUNC}
        return all_that_work({
            name: lambda f=flags: os.open("/proc/1/exe", f) for name, flags in names.items()
        })
        """),
    Attack("reopen what the first process holds", """
        def open_(name):
            os.close(os.open("/proc/1/fd/" + name, os.O_RDWR))
        names = [n for n in map(str, range(3, 64)) if os.path.lexists("/proc/1/fd/" + n)]
        return all_that_work({n: lambda n=n: open_(n) for n in names or ["3"]})
        """, refused="No such file|Permission denied|No such device"),
    Attack("dump core where a program of the machine would take it", """
        import resource
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        child = os.fork()
        if child == 0:
            os.abort()
        _, status = os.waitpid(child, 0)
        limits = resource.getrlimit(resource.RLIMIT_CORE)
        return "dumped" if os.WCOREDUMP(status) or limits != (1, 1) else None
        """),
    Attack("raise its own limits", """
        import resource
        def raise_(name):
            try:
                resource.setrlimit(getattr(resource, name), (1 << 30, 1 << 30))
            except ValueError as error:
                raise OSError("Operation not permitted") from error
        names = ["RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_FSIZE", "RLIMIT_DATA"]
        return all_that_work({n: lambda n=n: raise_(n) for n in names})
        """),
]  # fmt: skip
