"""After files: ours, other versions', the machine's."""

import os

from tests.attacks.attack import Attack, Language

_READ = 'return open(host["{}"]).read()'
_AS_ROOT = os.geteuid() == 0

FILES = [
    Attack("read a file of the platform's", _READ.format("secret"), works_outside=True),
    Attack("read the token of Ray", _READ.format("token"), works_outside=True),
    Attack("read what cookies are signed with", 'return open(host["home"] + "/secret").read()',
           works_outside=True),
    Attack("read the platform's code", _READ.format("code"), works_outside=True),
    Attack("read another version's source", _READ.format("other_version"), works_outside=True),
    Attack("list the platform's home", 'return os.listdir(host["home"])', works_outside=True),
    Attack("read memory that a program of the machine shares", _READ.format("in_memory"),
           works_outside=True),
    Attack("read the passwords of the machine", 'return open("/etc/shadow").read()',
           works_outside=_AS_ROOT),
    Attack("find the word anywhere below the root folder", """
        word = host["abstract"]
        for folder in ("/tmp", "/dev/shm", "/var", "/etc", "/srv", "/run",
                       "/mnt", "/media", "/usr/local/etc", "/algorithm", "/env", "/runner"):
            found = subprocess.run(["grep", "-rsl", "-e", word, folder], capture_output=True)
            if found.stdout:
                return found.stdout.decode()
        """),
    Attack("go up from the own root by /proc", """
        for way in ("/proc/self/root", "/proc/1/root", "/proc/self/cwd/../../..", "/proc/1/cwd"):
            try:
                return open(way + "/.." * 5 + host["secret"]).read()
            except OSError as error:
                last = error
        raise last
        """, works_outside=True),
    Attack("read through a symbolic link", """
        link = f"/tmp/{host['abstract']}"
        os.symlink(host["secret"], link)
        try:
            return open(link).read()
        finally:
            os.unlink(link)
        """, works_outside=True),
    Attack("read through a link in perl", """
        symlink($ENV{secret}, "/tmp/$ENV{abstract}") or die "$!\\n";
        my $opened = open(my $file, '<', "/tmp/$ENV{abstract}");
        my $why = "$!";
        unlink("/tmp/$ENV{abstract}");
        $opened or die "$why\\n";
        print <$file>;
        """, Language.PERL, works_outside=True),
    Attack("read a file in perl", """
        open(my $file, '<', $ENV{secret}) or die "$!\\n"; print <$file>;
        """, Language.PERL, works_outside=True),
    Attack("read a file in sh", 'exec cat "$token"', Language.SHELL, works_outside=True),
    Attack("copy the platform's home in sh", """
        mkdir -p "/tmp/$abstract" && cp -r "$home/." "/tmp/$abstract/" && ls "/tmp/$abstract"
        status=$?; rm -rf "/tmp/$abstract"; exit $status
        """, Language.SHELL, works_outside=True),
    Attack("give a file of the system a second name", """
        os.link("/usr/bin/env", "/tmp/env")
        return os.path.exists("/tmp/env")
        """),
    Attack("keep a file of the platform by a second name", """
        os.link(host["secret"], "/tmp/kept")
        return open("/tmp/kept").read()
        """),
    Attack("write where nothing may be written", """
        def write(path):
            with open(path, "a") as file:
                file.write("x")
        paths = [
            "/algorithm/src/Attack.py", "/algorithm/x", "/runner/x", "/usr/bin/x", "/usr/bin/env",
            "/etc/passwd", "/etc/hosts", "/x", "/dev/x", "/env/x", "/proc/x", os.__file__,
            "/runner/execution/languages/python/runner.py", sys.executable, sys.base_prefix + "/x",
        ]
        return all_that_work({path: lambda p=path: write(p) for path in paths})
        """),
    Attack("leave something in folders of the machine in perl", """
        my @left;
        for my $folder ($ENV{folder}, "/var/tmp", "/run", "/home", "/root", "/etc", "/usr/bin") {
            open(my $file, '>', "$folder/$ENV{mark}") or next;
            push @left, $folder;
        }
        @left or die "$!\\n"; print "@left";
        """, Language.PERL),
    Attack("change modes, owners and times of what is shown", """
        paths = [
            "/usr/bin/env", "/etc/passwd", "/algorithm", "/algorithm/src/Attack.py", "/runner", "/",
            "/runner/execution/languages/python/runner.py", sys.base_prefix + "/bin", "/dev", "/proc",
            os.__file__, "/etc/hosts", "/usr/share", "/bin/sh",
        ]
        attempts = {}
        for path in paths:
            attempts[path + " mode"] = lambda p=path: os.chmod(p, os.stat(p).st_mode & 0o7777)
            attempts[path + " owner"] = lambda p=path: os.chown(p, os.getuid(), os.getgid())
            attempts[path + " times"] = lambda p=path: os.utime(p)
            attempts[path + " attribute"] = lambda p=path: os.setxattr(p, "user.x", b"x")
        return all_that_work(attempts)
        """, refused="Read-only|Operation not permitted|Permission denied|Operation not supported"),
    Attack("make a device and read the disk by it", """
        attempts = {}
        for kind, major, minor in ((stat.S_IFBLK, 8, 0), (stat.S_IFBLK, 254, 0), (stat.S_IFCHR, 1, 1)):
            def make(kind=kind, major=major, minor=minor):
                path = f"/tmp/device-{major}-{minor}"
                os.mknod(path, kind | 0o666, os.makedev(major, minor))
                os.close(os.open(path, os.O_RDWR))
            attempts[major] = make
        return all_that_work(attempts)
        """),
    Attack("open devices of the machine", """
        names = [
            "mem", "kmem", "port", "kmsg", "sda", "vda", "nvme0n1", "loop-control", "fuse", "kvm",
            "net/tun", "ptmx", "pts/ptmx", "pts/0", "console", "tty0", "tty1", "vhost-net", "uinput",
            "snapshot", "hpet", "rtc0", "cpu/0/msr", "dri/card0", "input/event0", "vsock", "userfaultfd",
        ]
        return all_that_work({n: lambda n=n: os.open("/dev/" + n, os.O_RDONLY) for n in names})
        """),
    Attack("find a device or folder that doesn't belong", """
        known = {
            "null", "zero", "full", "random", "urandom", "tty", "shm", "pts", "ptmx", "fd", "stdin",
            "stdout", "stderr", "core", "console",
        }
        return sorted(set(os.listdir("/dev")) - known) + os.listdir("/dev/pts") + [
            place for place in ("/sys", "/run", "/var", "/boot", "/mnt") if os.path.exists(place)
        ]
        """),
    Attack("change settings of the kernel", """
        names = [
            "kernel/core_pattern", "kernel/hostname", "kernel/modprobe", "kernel/randomize_va_space",
            "vm/overcommit_memory", "net/ipv4/ip_forward", "fs/binfmt_misc/register",
            "user/max_user_namespaces", "kernel/ns_last_pid",
        ]
        paths = ["/proc/sys/" + name for name in names]
        paths += ["/proc/sysrq-trigger", "/proc/1/oom_score_adj", "/proc/1/attr/current"]
        return all_that_work({p: lambda p=p: open(p, "w").write("1") for p in paths})
        """),
    Attack("read the kernel's own memory", """
        def read(path):
            if not any(open(path, "rb").read(64)):
                raise OSError("nothing was to be had")
        paths = ["/proc/kcore", "/proc/kmsg", "/proc/kpageflags", "/proc/vmallocinfo", "/proc/1/mem",
                 "/proc/kpagecount", "/proc/slabinfo", "/sys/kernel/notes", "/dev/mem"]
        return all_that_work({p: lambda p=p: read(p) for p in paths})
        """, refused="Input/output error|No such|Permission denied|not permitted|nothing was"),
]  # fmt: skip
