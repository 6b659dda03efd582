#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Two machines, one of which is reset, and whose cable is pulled: host_peer.py a|b.

Guest a reports in TAP. Guest b serves; when a says so it presses its own reset
button (sysrq-b), comes up again with the same program and is told that this is
its second life. They meet through xtcp-sync, beside the network under test.
"""
import errno
import hashlib
import os
import select
import socket
import subprocess
import sys
import threading
import time

from host_lib import IPPROTO_XTCP, Failed, Tap, expect, put

A, B = "10.77.0.1", "10.77.0.2"
# (family here, family there): name, port of b's listener, of b's own end, of a's listener
COMBOS = {("xtcp", "tcp"): (7001, 5001, 8001),
          ("tcp", "xtcp"): (7002, 5002, 8002),
          ("xtcp", "xtcp"): (7002, 5003, 8001)}


def sync(name, value=""):
    done = subprocess.run(["xtcp-sync", name, value], pass_fds=[9], stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit("Bail out! %s: the other machine is gone" % name)
    return done.stdout.decode().strip()


def tcp_socket(fam):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_XTCP if fam == "xtcp" else 0)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.settimeout(60)
    return s


def listen(fam, port):
    s = tcp_socket(fam)
    s.bind(("", port))
    s.listen(16)
    return s


def connect(fam, addr, port, own=0):
    s = tcp_socket(fam)
    s.bind(("", own))
    s.connect((addr, port))
    return s


def error_of(function):
    try:
        function()
    except OSError as e:
        return e.errno
    return 0


# ---- guest b

def echo(s):
    s.settimeout(None)
    try:
        while True:
            data = s.recv(65536)
            if not data:
                break
            s.sendall(data)
    except OSError:
        pass
    s.close()


def serve(listener):
    listener.settimeout(None)
    while True:
        threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()


def guest_b():
    for fam, port in (("tcp", 7001), ("xtcp", 7002)):
        threading.Thread(target=serve, args=(listen(fam, port),), daemon=True).start()
    life = sync("up")
    # Its own connections, in both lives from the same ports.
    own = [connect(there, A, to, port) for (here, there), (_, port, to) in COMBOS.items()]
    for s in own:
        s.sendall(life.encode())
    sync("connected")
    if life == "first":
        sync("reset")
        put("/proc/sysrq-trigger", "b")
        threading.Event().wait()
    dev = open("/run/xtcp-dev").read().strip()
    for _ in COMBOS:
        sync("pull")
        subprocess.run(["ip", "link", "set", dev, "down"], check=True)
        time.sleep(5)           # how long the cable is out is the test's matter
        subprocess.run(["ip", "link", "set", dev, "up"], check=True)
    sync("end")


# ---- guest a

def check(tap, name, function, *args):
    why = None
    try:
        function(*args)
    except (Failed, OSError) as e:
        why = str(e) or repr(e)
    tap.result(name, why)


def data_gets_reset(s):
    s.sendall(b"are you there?")
    e = error_of(lambda: s.recv(1))
    expect(e == errno.ECONNRESET, "recv: %s" % os.strerror(e))


def keepalive_gets_reset(s):
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    e = error_of(lambda: s.recv(1))
    expect(e == errno.ECONNRESET, "recv: %s" % os.strerror(e))


def old_was_reset(old, new):
    e = error_of(lambda: old.recv(100))
    expect(e == errno.ECONNRESET, "old connection: %s" % os.strerror(e))
    expect(new.recv(100) == b"second", "new connection")


def cable_pulled(fam, port):
    s = connect(fam, B, port)
    data = os.urandom(4 << 20)
    got, sent, pulled = bytearray(), 0, False
    s.setblocking(False)
    stop = time.monotonic() + 100
    while len(got) < len(data):
        expect(time.monotonic() < stop, "%d bytes came back" % len(got))
        r, w, _ = select.select([s], [s] if sent < len(data) else [], [], 5)
        if w:
            sent += s.send(data[sent:sent + 16384])
        if r:
            got += s.recv(65536)
        if len(got) > 300000 and not pulled:
            sync("pull")
            pulled = True
    expect(pulled, "the cable was pulled")
    expect(hashlib.sha256(got).digest() == hashlib.sha256(data).digest(), "the bytes")


def accept_own(listeners):
    """b's own connections by (b's port): so many as there are combinations."""
    got = {}
    for here in ("xtcp", "tcp"):
        for _ in [c for c in COMBOS if c[0] == here]:
            s, addr = listeners[here].accept()
            s.settimeout(60)
            got[addr[1]] = s
    return got


def guest_a():
    tap = Tap()
    listeners = {"xtcp": listen("xtcp", 8001), "tcp": listen("tcp", 8002)}
    sync("up", "first")
    probed = {c: connect(c[0], B, COMBOS[c][0]) for c in COMBOS}
    sending = {c: connect(c[0], B, COMBOS[c][0]) for c in COMBOS}
    old = accept_own(listeners)
    sync("connected")
    for s in old.values():
        expect(s.recv(100) == b"first", "b's first words")
    for s in list(probed.values()) + list(sending.values()):
        s.sendall(b"x")
        expect(s.recv(1) == b"x", "echo")
    sync("reset")
    sync("up", "second")
    new = accept_own(listeners)
    sync("connected")
    for c, (port, own, _) in COMBOS.items():
        who = "; %s here, %s there" % c
        check(tap, "a machine was reset: data to it gets RST, ECONNRESET (4-31)" + who,
              data_gets_reset, sending[c])
        check(tap, "a machine was reset: the keepalive probe gets RST, ECONNRESET (4-115)" + who,
              keepalive_gets_reset, probed[c])
        check(tap, "a machine was reset: its new connection from the same port succeeds, "
              "the old one is reset (4-22, X-19)" + who, old_was_reset, old[own], new[own])
    for c, (port, _, _) in COMBOS.items():
        check(tap, "a machine's link is down for 5 s in a transfer: it resumes, every byte is "
              "right (4-119); %s here, %s there" % c, cable_pulled, c[0], port)
    sync("end")
    return tap.end()


if __name__ == "__main__":
    sys.exit(guest_a() if sys.argv[1] == "a" else guest_b())
