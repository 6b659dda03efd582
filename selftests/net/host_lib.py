# SPDX-License-Identifier: GPL-2.0
"""
Hosts for tests: network namespaces joined by a cable that this program holds.

Every frame between them comes through here, so a test drops the segment it
means, counts what was sent and says when, and no segment is lost that it did
not name. Sockets of all hosts belong to this one process; what waits is the
cable's pump(), so nothing blocks. Waiting is cheap in virtual time, for which
these tests are made (User Mode Linux, time-travel).
"""
import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
import subprocess
import sys
import time
import traceback

IPPROTO_XTCP = 261
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
STATES = ["", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT",
          "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "SYN_RECV"]
PORT = 7000
libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """What was expected did not come to pass."""


def expect(condition, what):
    if not condition:
        raise Failed(what)


def near(got, wanted, what, slack=0.3):
    expect(abs(got - wanted) <= slack + wanted * 0.02, "%s: %.2f s, wanted %.2f" % (what, got, wanted))


class Tap:
    def __init__(self):
        self.n = self.bad = 0

    def result(self, name, why=None):
        self.n += 1
        print("%sok %d - %s" % ("not " if why else "", self.n, name), flush=True)
        for line in (why or "").splitlines():
            print("#   " + line, flush=True)
        self.bad += why is not None

    def skip(self, name, why):
        self.n += 1
        print("ok %d - %s # SKIP %s" % (self.n, name, why), flush=True)

    def end(self):
        print("1..%d" % self.n, flush=True)
        return 1 if self.bad or not self.n else 0


def batch(commands):
    """Commands of ip(8), one per line, in one process: starting them is what takes the time."""
    done = subprocess.run(["ip", "-batch", "-"], input=commands.encode(),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise Failed("ip: %s\n%s" % (done.stdout.decode(), commands))


def no_offloads(dev):
    """What leaves DEV is as a wire would carry it: ETHTOOL_STXCSUM, _STSO, _SGSO, _SGRO."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for command in (0x1f, 0x24, 0x2c, 0x17):
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            fcntl.ioctl(s, 0x8946, struct.pack("16sP16x", dev.encode(), ctypes.addressof(value)))


class Inside:
    """With this the process is in the network namespace of that name."""

    def __init__(self, name):
        self.name = name

    def enter(self, path):
        fd = os.open(path, os.O_RDONLY)
        if libc.setns(fd, 0x40000000):
            raise OSError(ctypes.get_errno(), "setns")
        os.close(fd)

    def __enter__(self):
        self.enter("/run/netns/" + self.name)

    def __exit__(self, *_):
        self.enter("/proc/1/ns/net")


class Segment:
    """A TCP segment seen on the cable: when, from which end, what became of it."""

    def __init__(self, frame, end, t):
        self.t, self.end, self.passed = t, end, False
        at = 14
        if frame[12:14] == b"\x08\x00" and frame[23] == 6:
            at += (frame[14] & 15) * 4
            self.src, self.dst = frame[26:30], frame[30:34]
            stop = 14 + struct.unpack("!H", frame[16:18])[0]
        elif frame[12:14] == b"\x86\xdd" and frame[20] == 6:
            at += 40
            self.src, self.dst = frame[22:38], frame[38:54]
            stop = at + struct.unpack("!H", frame[18:20])[0]
        else:
            raise ValueError
        self.sport, self.dport, self.seq, self.ack, doff, self.flags = \
            struct.unpack("!HHIIBB", frame[at:at + 14])
        self.len = stop - at - (doff >> 4) * 4

    def has(self, flags):
        return self.flags & (FIN | SYN | RST | ACK) & ~(0 if flags & ACK else ACK) == flags

    def __str__(self):
        names = "".join(n for bit, n in ((SYN, "S"), (FIN, "F"), (RST, "R"), (ACK, ".")) if self.flags & bit)
        return "%10.3f %s%s %-3s seq %d ack %d len %d%s" % (
            self.t, self.end, ":%d" % self.sport, names, self.seq, self.ack, self.len,
            "" if self.passed else " LOST")


class Cable:
    """Frames from each end go where route(segment, end) says; None loses them."""

    def __init__(self):
        self.ends, self.log, self.plugged, self.start = {}, [], True, time.monotonic()
        self.route = self.straight

    @staticmethod
    def straight(seg):
        return "S" if seg.end == "C" else "C"

    def lose(self, which):
        """Lose the segments for which the function WHICH is true."""
        self.route = lambda seg: None if which(seg) else self.straight(seg)

    def heal(self):
        self.route = self.straight

    def attach(self, end, dev):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        s.bind((dev, 3))
        s.setblocking(False)
        s.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)    # SO_RCVBUFFORCE
        self.ends[end] = s

    def detach(self, end):
        self.ends.pop(end).close()

    def now(self):
        return time.monotonic() - self.start

    def carry(self, end):
        try:
            frame, addr = self.ends[end].recvfrom(65536)
        except BlockingIOError:
            return False
        except OSError as e:        # the device went down
            if e.errno != errno.ENETDOWN:
                raise
            return False
        if addr[2] == socket.PACKET_OUTGOING or not self.plugged:
            return True
        try:
            seg = Segment(frame, end, self.now())
        except ValueError:
            return True
        self.log.append(seg)
        to = self.route(seg)
        if to in self.ends:
            seg.passed = True
            self.send(to, frame)
        return True

    def send(self, end, frame):
        try:
            self.ends[end].send(frame)
        except OSError as e:
            if e.errno not in (errno.ENETDOWN, errno.ENOBUFS):
                raise

    def pump(self, until, limit=10.0, what="", step=None):
        """Carry frames until UNTIL() is true; returns how long that took."""
        begin = time.monotonic()
        step = step or max(0.01, limit / 500)
        while True:
            if until():
                return time.monotonic() - begin
            left = begin + limit - time.monotonic()
            if left <= 0:
                raise Failed("after %g s not: %s" % (limit, what))
            ready = select.select(list(self.ends.values()), [], [], min(step, left))[0]
            if not ready:
                continue
            for end in [e for e, s in self.ends.items() if s in ready]:
                for _ in range(64):
                    if end not in self.ends or not self.carry(end):
                        break

    def rest(self, seconds):
        """Nothing but time passes."""
        stop = time.monotonic() + seconds
        self.pump(lambda: time.monotonic() >= stop, seconds + 1, "time passes")

    def seen(self, end, flags, data=None):
        return [s for s in self.log if s.end == end and s.has(flags) and
                (data is None or (s.len > 0) == data)]


class Net:
    """Hosts C (10.60.0.1) and S (10.60.0.2), perhaps T: another with S's address."""

    ADDR = {"C": 1, "S": 2, "T": 2}

    def __init__(self, hosts="CS"):
        self.cable = Cable()
        self.hosts, self.socks = hosts, []
        for h in hosts:
            self.boot(h)

    def boot(self, h):
        n = self.ADDR[h]
        batch("""netns add {h}
            link add w{h} type veth peer name eth0 netns {h}""".format(h=h))
        put("/proc/sys/net/ipv6/conf/w%s/disable_ipv6" % h, 1)
        with Inside(h):
            no_offloads("eth0")
            batch("""link set lo up
                link set eth0 address 02:00:00:00:60:0{n}
                addr add 10.60.0.{n}/24 dev eth0
                link set eth0 up
                neigh replace 10.60.0.{o} lladdr 02:00:00:00:60:0{o} dev eth0 nud permanent
                route add default via 10.60.0.{o}""".format(n=n, o=3 - n))
        batch("link set w%s up promisc on" % h)
        self.cable.attach(h, "w" + h)

    def power_off(self, h):
        """The host is gone with all it knew, and says nothing as it goes."""
        self.cable.detach(h)
        for s in [s for s in self.socks if s.host == h]:
            self.socks.remove(s)
            s.close()
        batch("link del w{h}\nnetns del {h}".format(h=h))

    def end(self):
        # nobody pumps the cable any more: no FIN shall wait for an answer
        for s in self.socks:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
        here = list(self.cable.ends)
        for h in here:
            self.cable.detach(h)
        batch("\n".join("link del w{h}\nnetns del {h}".format(h=h) for h in here))

    def socket(self, h, fam):
        with Inside(h):
            s = HostSocket(socket.AF_INET, socket.SOCK_STREAM,
                           IPPROTO_XTCP if fam == "xtcp" else 0)
        s.host, s.fam = h, fam
        s.setblocking(False)
        self.socks.append(s)
        return s

    def listen(self, fam, h="S", backlog=16):
        s = self.socket(h, fam)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("10.60.0.2", PORT))
        s.listen(backlog)
        return s

    def connect(self, fam, port=0, h="C"):
        s = self.socket(h, fam)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("10.60.0.1", port))
        e = s.connect_ex(("10.60.0.2", PORT))
        expect(e == errno.EINPROGRESS, "connect: " + os.strerror(e))
        return s

    def accept(self, listener):
        got = []

        def one():
            try:
                got.append(listener.accept()[0])
            except BlockingIOError:
                pass
            return got
        self.cable.pump(one, 10, "accept")
        s = HostSocket(fileno=got[0].detach())
        s.host, s.fam = listener.host, listener.fam
        s.setblocking(False)
        self.socks.append(s)
        return s

    def established(self, c_fam, s_fam, port=0):
        """Listener, the client's and the server's end of a connection."""
        srv = self.listen(s_fam)
        cl = self.connect(c_fam, port)
        self.up(cl)
        return srv, cl, self.accept(srv)

    def up(self, s, limit=10):
        took = self.cable.pump(lambda: s.outcome() is not None, limit, "connected")
        expect(s.outcome() == 0, "connect: %s" % os.strerror(s.outcome()))
        return took

    def close(self, s):
        self.socks.remove(s)
        s.close()

    def knob(self, h, fam, name, value):
        with Inside(h):
            put("/proc/sys/net/%s/%s" % ("xtcp" if fam == "xtcp" else "ipv4", name), value)

    def states(self, h, fam, listeners=False):
        """States of the host's connections, from its table."""
        with Inside(h):
            with open("/proc/net/" + fam) as f:
                rows = [line.split() for line in f.readlines()[1:]]
        states = [STATES[int(r[3], 16)] for r in rows]
        return sorted(s for s in states if listeners or s != "LISTEN")

    def counter(self, h, fam, name):
        with Inside(h):
            with open("/proc/net/" + ("xtcp_netstat" if fam == "xtcp" else "netstat")) as f:
                names, values = (line.split() for line in f.readlines()[:2])
        return int(values[names.index(name)])

    def await_states(self, h, fam, wanted, limit=10):
        return self.cable.pump(lambda: self.states(h, fam) == wanted, limit,
                               "%s has %s, not %s" % (h, wanted, self.states(h, fam)))


class HostSocket(socket.socket):
    """Does not block; knows its host and family."""

    __slots__ = ("host", "fam", "result")

    def outcome(self):
        """0 connected, an errno, or None: not known yet."""
        if getattr(self, "result", None) is None:
            poll = select.poll()
            poll.register(self, select.POLLOUT)
            if not poll.poll(0):
                return None
            # Reading it clears it.
            self.result = self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return self.result

    def error(self):
        """The errno that a read reports, 0 for none so far."""
        try:
            self.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return 0
        except OSError as e:
            return e.errno
        return 0

    def eof(self):
        try:
            return self.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False


def put(path, value):
    with open(path, "w") as f:
        f.write(str(value))


def timer_slack(seconds):
    """How late a long timer may be: the kernel's wheel is the coarser the farther ahead."""
    return 1 + seconds / 8


def combinations(test):
    """(client's family, server's family); at least one is AF_XTCP if there is one."""
    if not os.path.exists("/proc/net/xtcp"):
        return [("tcp", "tcp")]
    if getattr(test, "about", "") == "S":   # the client is only there
        return [("tcp", "xtcp")]
    both = [("xtcp", "xtcp")] if getattr(test, "about", "") == "all" else []
    return [("xtcp", "tcp"), ("tcp", "xtcp")] + both


def run_tests(tests):
    """TESTS: functions of (net, client family, server family), named by their docstrings."""
    tap = Tap()
    only = sys.argv[1:]
    for test in tests:
        if only and test.__name__ not in only:
            continue
        for c_fam, s_fam in combinations(test):
            name = "%s; client %s, server %s" % (test.__doc__.strip(), c_fam, s_fam)
            net, why = None, None
            try:
                net = Net(getattr(test, "hosts", "CS"))
                missing = getattr(test, "needs", lambda *_: None)(net, c_fam, s_fam)
                if missing:
                    tap.skip(name, missing)
                    continue
                test(net, c_fam, s_fam)
            except (Failed, OSError, ValueError) as e:
                lines = ["%s:%d" % (f.name, f.lineno) for f in traceback.extract_tb(e.__traceback__)]
                why = "%s (%s)" % (e, " ".join(lines[1:]))
                if net:
                    why += "".join("\n%s" % s for s in net.cable.log[-40:])
            finally:
                if net:
                    net.end()
            tap.result(name, why)
    return tap.end()
