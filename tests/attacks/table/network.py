"""After anything that listens: the platform's services, and the world."""

from tests.attacks.attack import Attack, Language

NETWORK = [
    Attack("connect to a service of the machine", """
        with socket.create_connection(("127.0.0.1", host["tcp"]), 5):
            return "connected"
        """, works_outside=True),
    Attack("connect over IPv6", """
        if not host["has_ipv6"]:
            raise OSError("Network is unreachable")
        with socket.create_connection(("::1", host["tcp6"]), 5):
            return "connected"
        """),
    Attack("connect by every name of the machine", """
        def connect(name):
            socket.create_connection((name, host["tcp"]), 2).close()
        names = ["localhost", "0.0.0.0", "127.0.0.2", "127.1", "::ffff:127.0.0.1", "::"]
        return all_that_work({n: lambda n=n: connect(n) for n in names})
        """, works_outside=True),
    Attack("connect in perl", """
        use Socket;
        socket(my $it, PF_INET, SOCK_STREAM, 0) or die "$!\\n";
        connect($it, sockaddr_in($ENV{tcp}, inet_aton("127.0.0.1"))) or die "$!\\n";
        print "connected";
        """, Language.PERL, works_outside=True),
    Attack("send a datagram", """
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
            it.connect(("127.0.0.1", host["udp"]))
            it.send(b"knock")
            it.settimeout(0.2)
            try:
                it.recv(1)
            except TimeoutError:
                return "sent"
        """, works_outside=True),
    Attack("connect to PostgreSQL", """
        with socket.socket(socket.AF_UNIX) as it:
            it.connect(host["database"])
            it.send(struct.pack(">II", 8, 80877103))
            return it.recv(1).decode()
        """, works_outside=True),
    Attack("connect to a socket in a folder", """
        with socket.socket(socket.AF_UNIX) as it:
            it.connect(host["socket"])
            return "connected"
        """, works_outside=True),
    Attack("connect to a socket in a folder in perl", """
        use Socket;
        socket(my $it, PF_UNIX, SOCK_STREAM, 0) or die "$!\\n";
        connect($it, sockaddr_un($ENV{socket})) or die "$!\\n";
        print "connected";
        """, Language.PERL, works_outside=True),
    Attack("connect to a socket without a file", """
        with socket.socket(socket.AF_UNIX) as it:
            it.connect("\\0" + host["abstract"])
            return "connected"
        """, works_outside=True),
    Attack("see which sockets without a file there are", """
        return [line for line in open("/proc/net/unix") if host["abstract"] in line]
        """, works_outside=True),
    Attack("find Ray, its dashboard, the site and databases at their usual ports", """
        def connect(port):
            socket.create_connection(("127.0.0.1", port), 2).close()
        ports = [6379, 8265, 10001, 8000, 8076, 44217, 52365, 5432, 7700, 80, 443, 22, host["tcp"]]
        return all_that_work({port: lambda p=port: connect(p) for port in ports})
        """, works_outside=True),
    Attack("find anything at all that listens, in sh", """
        grep -h " 0A " /proc/net/tcp /proc/net/tcp6
        """, Language.SHELL, works_outside=True),
    Attack("join Ray with its token", """
        with open(host["token"]) as token, socket.create_connection(("127.0.0.1", host["tcp"]), 5):
            return token.read()
        """, works_outside=True),
    Attack("reach the internet", """
        def connect(address):
            socket.create_connection(address, 2).close()
        addresses = [("1.1.1.1", 53), ("8.8.8.8", 443), ("2606:4700:4700::1111", 443),
                     ("169.254.169.254", 80), ("10.0.0.1", 80), ("192.168.0.1", 80)]
        return all_that_work({a[0]: lambda a=a: connect(a) for a in addresses})
        """),
    Attack("ask for a name", """
        return socket.getaddrinfo("example.com", 80)
        """),
    Attack("ask a name server by hand", """
        question = b"\\x00\\x01\\x01\\x00\\x00\\x01" + bytes(6) + b"\\x07example\\x03com\\x00\\x00\\x01\\x00\\x01"
        def ask(server):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
                it.settimeout(0.5)
                it.sendto(question, (server, 53))
                return it.recv(500)
        return all_that_work({s: lambda s=s: ask(s) for s in ("1.1.1.1", "127.0.0.53", "10.0.0.2")})
        """, refused="Network is unreachable|timed out|Connection refused"),
    Attack("broadcast", """
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
            it.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            return it.sendto(b"knock", ("255.255.255.255", host["udp"]))
        """),
    Attack("use sockets of odd kinds", """
        kinds = {
            "netlink": (socket.AF_NETLINK, socket.SOCK_RAW, 0), "packet": (17, socket.SOCK_RAW, 0),
            "crypto": (38, socket.SOCK_SEQPACKET, 0), "machine": (40, socket.SOCK_STREAM, 0),
            "bluetooth": (31, socket.SOCK_RAW, 1), "can": (29, socket.SOCK_RAW, 1),
            "express": (44, socket.SOCK_RAW, 0), "tipc": (30, socket.SOCK_SEQPACKET, 0),
            "key": (15, socket.SOCK_RAW, 2), "raw": (socket.AF_INET, socket.SOCK_RAW, 1),
            "raw IPv6": (socket.AF_INET6, socket.SOCK_RAW, 58),
            "sctp": (socket.AF_INET, socket.SOCK_SEQPACKET, 132),
            "dccp": (socket.AF_INET, 6, 33), "mptcp": (socket.AF_INET, socket.SOCK_STREAM, 262),
            "ping": (socket.AF_INET, socket.SOCK_DGRAM, 1), "smc": (43, socket.SOCK_STREAM, 0),
        }
        return all_that_work({n: lambda k=k: socket.socket(*k).close() for n, k in kinds.items()})
        """),
    Attack("make an interface of one's own", """
        import fcntl
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
            request = struct.pack("16sH14s", b"lo", 0, b"")
            fcntl.ioctl(it, 0x8914, request)
            return "changed"
        """),
]  # fmt: skip
