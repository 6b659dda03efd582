#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp=2 timeout=200
#
# Memory cgroups: what AF_XTCP sockets hold is charged to the cgroup of their
# owner and given back; a cgroup over its bound is told, and nothing is lost.
. selftests/vm/guest/tap.sh
insmod /xtcp/xtcp.ko || { echo "Bail out! insmod"; exit 1; }
ip link set lo up
cg=/sys/fs/cgroup
mountpoint -q $cg || mount -t cgroup2 none $cg
grep -qw memory $cg/cgroup.controllers || { echo "Bail out! no memory controller"; exit 1; }
echo +memory >$cg/cgroup.subtree_control
mkdir -p $cg/xtcp

plan 4
cat >/tmp/memcg.py <<'END'
import hashlib, os, socket, sys
XTCP = 261
cg = "/sys/fs/cgroup/xtcp"

def sock_bytes():
    with open(cg + "/memory.stat") as f:
        return dict(l.split() for l in f)["sock"]

def pair():
    l = socket.socket(socket.AF_INET, socket.SOCK_STREAM, XTCP)
    l.bind(("127.0.0.1", 0))
    l.listen(1)
    c = socket.socket(socket.AF_INET, socket.SOCK_STREAM, XTCP)
    c.connect(l.getsockname())
    s = l.accept()[0]
    l.close()
    return c, s

def fill(c, n):
    """Write until the socket takes no more; the hash of what it took."""
    h, sent = hashlib.sha256(), 0
    c.setblocking(False)
    while sent < n:
        part = os.urandom(65536)
        try:
            k = c.send(part)
        except BlockingIOError:
            break
        h.update(part[:k])
        sent += k
    return sent, h.hexdigest()

def drain(s, n):
    h = hashlib.sha256()
    while n:
        part = s.recv(65536)
        if not part:
            break
        h.update(part)
        n -= len(part)
    return h.hexdigest()

with open(cg + "/cgroup.procs", "w") as f:
    f.write(str(os.getpid()))

def charged():
    c, s = pair()
    sent, h = fill(c, 8 << 20)
    # memory.stat is brought up to date every other second
    for _ in range(100):
        if int(sock_bytes()) >= sent:
            break
        s.settimeout(0.1)
        try:
            c.setblocking(True)
            c.settimeout(0.1)
            c.recv(1)
        except TimeoutError:
            pass
    print("# sent", sent, "charged", sock_bytes())
    good = sent > 65536 and int(sock_bytes()) >= sent
    s.settimeout(None)
    return good and drain(s, sent) == h

def bounded():
    """Sockets take the cgroup over memory.high: it is told, nothing is lost."""
    pairs = [pair() for _ in range(16)]
    # The sockets stay charged to where they were made; the program's own pages
    # must not count.
    with open("/sys/fs/cgroup/cgroup.procs", "w") as f:
        f.write(str(os.getpid()))
    with open(cg + "/memory.current") as f:
        now = int(f.read())
    with open(cg + "/memory.high", "w") as f:
        f.write(str(now + (2 << 20)))
    took = [fill(c, 8 << 20) for c, s in pairs]
    good = True
    for (c, s), (n, h) in zip(pairs, took):
        good = good and drain(s, n) == h
    with open(cg + "/memory.events") as f:
        events = dict(l.split() for l in f)
    print("# took", sum(n for n, h in took), "events", events)
    return good and events["high"] != "0"

def early():
    """Data that are there before accept() are charged once, by whoever does it."""
    l = socket.socket(socket.AF_INET, socket.SOCK_STREAM, XTCP)
    l.bind(("127.0.0.1", 0))
    l.listen(1)
    for _ in range(100):
        c = socket.socket(socket.AF_INET, socket.SOCK_STREAM, XTCP)
        c.connect(l.getsockname())
        data = os.urandom(20000)
        c.sendall(data)
        s = l.accept()[0]
        if drain(s, len(data)) != hashlib.sha256(data).hexdigest():
            return False
        s.close()
        c.close()
    return True

sys.exit(0 if {"charged": charged, "bounded": bounded, "early": early}[sys.argv[1]]() else 1)
END
ok "what sockets hold is charged to their cgroup" python3 /tmp/memcg.py charged
ok "so is what came before accept()" python3 /tmp/memcg.py early
ok "they can take it over memory.high, and nothing is lost" python3 /tmp/memcg.py bounded

# memory.stat is brought up to date every other second.
given_back()
{
	local i

	for ((i = 0; i < 100; i++)); do
		[ "$(awk '$1 == "sock" { print $2 }' $cg/xtcp/memory.stat)" = 0 ] && return
		read -r -t 0.1 <> <(:)
	done
	grep ^sock $cg/xtcp/memory.stat | sed 's/^/# /'
	return 1
}
ok "and all of it is given back" given_back
done_testing
