#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Two hosts and the cable between them: segments lost on purpose, hosts that go
and come back, cables pulled. Every case with AF_XTCP on either end and on both.
Numbers in parentheses are rows of the list of behaviours. Needs virtual time:
the waits are the defaults, hours among them.
"""
import errno
import hashlib
import os
import socket
import struct
import sys

from host_lib import (ACK, FIN, PORT, RST, SYN, Failed, Inside, expect, near, put, run_tests,
                      timer_slack)


def right_fins(fins, fam, retries):
    """AF_XTCP retransmits exactly so often; Linux once more, and may probe for a lost tail before."""
    wanted = [1 + retries] if fam == "xtcp" else [2 + retries, 3 + retries]
    expect(len(fins) in wanted, "%d FINs, wanted %s" % (len(fins), wanted))


# ---- the handshake

def syn_ack_lost_once(net, c_fam, s_fam):
    """first SYN-ACK lost: the client's second SYN is answered (4-43)"""
    cable = net.cable
    if s_fam == "xtcp":     # the server's own timer stays out of it
        net.knob("S", s_fam, "tcp_synack_rto_ms", 5000)
    net.listen(s_fam)
    cable.lose(lambda s: s.has(SYN | ACK) and len(cable.seen("S", SYN | ACK)) == 1)
    cl = net.connect(c_fam)
    near(net.up(cl), 1, "connected after")
    syns = cable.seen("C", SYN)
    expect(len(syns) == 2 and syns[0].seq == syns[1].seq, "two SYNs with one sequence number")
    expect(len({s.seq for s in cable.seen("S", SYN | ACK)}) == 1, "one ISN in all SYN-ACKs")


def syn_ack_timer(net, c_fam, s_fam):
    """first SYN-ACK and all later SYNs lost: the server's own timer resends it (4-43)"""
    cable = net.cable
    net.listen(s_fam)
    cable.lose(lambda s: (s.has(SYN | ACK) and len(cable.seen("S", SYN | ACK)) == 1) or
               (s.has(SYN) and not s.flags & ACK and len(cable.seen("C", SYN)) > 1))
    cl = net.connect(c_fam)
    near(net.up(cl), 1, "connected after", 1.2)
    expect(len(cable.seen("S", SYN | ACK)) == 2, "two SYN-ACKs")


def syn_ack_always_lost(net, c_fam, s_fam):
    """SYN-ACK always lost: both ends retransmit by their own knobs and give up (4-45)"""
    cable = net.cable
    net.listen(s_fam)
    net.knob("C", c_fam, "tcp_syn_retries", 1)
    net.knob("S", s_fam, "tcp_synack_retries", 2)
    cable.lose(lambda s: s.has(SYN | ACK))
    cl = net.connect(c_fam)
    cable.pump(lambda: net.states("S", s_fam) == ["SYN_RECV"], 1, "SYN_RECV")
    begin = cable.seen("C", SYN)[0].t
    gone = {}

    def both_gone():
        if "C" not in gone and cl.outcome() is not None:
            gone["C"] = cable.now() - begin
            gone["why"] = cl.error()
        if "S" not in gone and not net.states("S", s_fam):
            gone["S"] = cable.now() - begin
        return "C" in gone and "S" in gone
    cable.pump(both_gone, 20, "both gave up")
    near(gone["C"], 3, "the client gave up")
    expect([round(s.t - begin) for s in cable.seen("C", SYN)] == [0, 1], "SYNs at 0 and 1 s")
    near(gone["S"], 7, "the server gave up", 1.2)
    times = [s.t - begin for s in cable.seen("S", SYN | ACK)]
    expect(3 <= len(times) <= 4, "SYN-ACKs at %s" % times)


def third_ack_lost_once(net, c_fam, s_fam):
    """third ACK lost: the client is connected, nobody resends an ACK, the next SYN-ACK helps (4-46, 4-47)"""
    cable = net.cable
    srv = net.listen(s_fam)
    cable.lose(lambda s: s.end == "C" and s.has(ACK) and len(cable.seen("C", ACK)) == 1)
    cl = net.connect(c_fam)
    near(net.up(cl), 0, "connected after")
    expect(net.states("S", s_fam) == ["SYN_RECV"], "the server waits: %s" % net.states("S", s_fam))
    near(cable.pump(lambda: "ESTABLISHED" in net.states("S", s_fam), 5, "established"), 1, "complete")
    again = cable.seen("S", SYN | ACK)
    acks = [s for s in cable.seen("C", ACK) if s.t < again[1].t]
    expect(len(again) == 2 and len(acks) == 1, "one ACK before the second SYN-ACK")
    acc = net.accept(srv)
    cl.send(b"hello")
    cable.pump(lambda: acc.recv(9, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b"hello"
               if not acc.error() and net.cable.seen("C", ACK, True) else False, 5, "data")


def third_ack_always_lost(net, c_fam, s_fam):
    """third ACK always lost: 2 SYN-ACKs more, the request goes at 7 s, data then gets RST (4-48, 4-49)"""
    cable = net.cable
    net.listen(s_fam)
    net.knob("S", s_fam, "tcp_synack_retries", 2)
    cable.lose(lambda s: s.end == "C" and s.has(ACK))
    cl = net.connect(c_fam)
    net.up(cl)
    begin = cable.seen("S", SYN | ACK)[0].t
    cable.pump(lambda: not net.states("S", s_fam), 20, "the request is gone")
    near(cable.now() - begin, 7, "the request went at", 0.6)
    expect([round(s.t - begin) for s in cable.seen("S", SYN | ACK)] == [0, 1, 3], "SYN-ACKs at 0, 1, 3 s")
    expect(net.states("C", c_fam) == ["ESTABLISHED"], "the client knows nothing")
    cable.rest(1)
    cable.heal()
    cl.send(b"data")
    cable.pump(lambda: cl.error() == errno.ECONNRESET, 5, "ECONNRESET")
    data, rst = cable.seen("C", ACK, True)[-1], cable.seen("S", RST)[-1]
    expect(rst.seq == data.ack, "the RST's sequence number is the data's ACK")


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def syn_frame(src, sport, seq):
    """A SYN from SRC to S, as an old duplicate or a forger would send it."""
    tcp = struct.pack("!HHIIBBHHH", sport, PORT, seq, 0, 6 << 4, SYN, 64240, 0, 0) + b"\2\4\5\xb4"
    pseudo = src + b"\x0a\x3c\x00\x02" + struct.pack("!HH", 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0) + src + b"\x0a\x3c\x00\x02"
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return b"\2\0\0\0\x60\2" + b"\2\0\0\0\x60\1" + b"\x08\x00" + ip + tcp


def stray_syn(net, c_fam, s_fam):
    """delayed duplicate SYN of a live host: its RST ends the request at once (0-6)"""
    cable = net.cable
    net.listen(s_fam)
    spare = net.socket("C", c_fam)      # the host has the stack, not the connection
    before = net.counter("S", s_fam, "EmbryonicRsts")
    cable.send("S", syn_frame(socket.inet_aton("10.60.0.1"), 5555, 90))
    cable.pump(lambda: cable.seen("C", RST), 2, "RST")
    cable.pump(lambda: not net.states("S", s_fam), 0.2, "the request is gone")
    synack, rst = cable.seen("S", SYN | ACK)[0], cable.seen("C", RST)[0]
    expect(synack.ack == 91 and rst.seq == 91, "SYN-ACK %s, RST %s" % (synack, rst))
    expect(net.counter("S", s_fam, "EmbryonicRsts") == before + 1, "EmbryonicRsts")
    net.close(spare)


# ---- the end

def server_fin_lost(net, c_fam, s_fam):
    """FIN of the server lost: orphan_retries=3 there, FIN_WAIT2 ends by fin_timeout here (4-77)"""
    cable = net.cable
    net.knob("S", s_fam, "tcp_orphan_retries", 3)
    net.knob("C", c_fam, "tcp_fin_timeout", 9)
    srv, cl, acc = net.established(c_fam, s_fam)
    net.close(cl)
    cable.pump(acc.eof, 2, "EOF")
    net.await_states("C", c_fam, ["FIN_WAIT2"])
    begin = cable.now()
    cable.lose(lambda s: s.end == "S" and s.has(FIN | ACK))
    net.close(acc)
    net.await_states("S", s_fam, [], 30)
    fins = cable.seen("S", FIN | ACK)
    right_fins(fins, s_fam, 3)
    if s_fam == "xtcp":     # then twice the last timeout
        step = fins[-1].t - fins[-2].t
        near(cable.now() - fins[-1].t, 2 * step, "gone after the last FIN")
    expect(net.states("C", c_fam) == ["FIN_WAIT2"], "the client still waits")
    net.await_states("C", c_fam, [], 30)
    near(cable.now() - begin, 9, "FIN_WAIT2 lasted", 1.2)
    expect(not cable.seen("S", RST) and not cable.seen("C", RST), "no RST")


def last_ack_lost(net, c_fam, s_fam):
    """last ACK lost: TIME_WAIT here, LAST_ACK and the FIN again there, ACKed again (4-78, 1-13)"""
    cable = net.cable
    srv, cl, acc = net.established(c_fam, s_fam)
    net.close(cl)
    cable.pump(acc.eof, 2, "EOF")
    net.await_states("C", c_fam, ["FIN_WAIT2"])
    first = len(cable.seen("C", ACK))
    cable.lose(lambda s: s.end == "C" and len(cable.seen("C", ACK)) == first + 1)
    net.close(acc)
    net.await_states("C", c_fam, ["TIME_WAIT"])
    expect(net.states("S", s_fam) == ["LAST_ACK"], "LAST_ACK")
    net.await_states("S", s_fam, [], 5)
    expect(len(cable.seen("S", FIN | ACK)) == 2, "the FIN was sent twice")
    expect(net.states("C", c_fam) == ["TIME_WAIT"], "TIME_WAIT stays")


def last_ack_always_lost(net, c_fam, s_fam):
    """last ACK always lost: FINs by orphan_retries=2, each starts 2MSL anew (4-78, 4-79, 4-82)"""
    cable = net.cable
    net.knob("S", s_fam, "tcp_orphan_retries", 2)
    srv, cl, acc = net.established(c_fam, s_fam)
    net.close(cl)
    cable.pump(acc.eof, 2, "EOF")
    net.await_states("C", c_fam, ["FIN_WAIT2"])
    cable.lose(lambda s: s.end == "C")
    net.close(acc)
    net.await_states("S", s_fam, [], 30)
    fins = cable.seen("S", FIN | ACK)
    right_fins(fins, s_fam, 2)
    net.await_states("C", c_fam, [], 100)
    near(cable.now() - fins[-1].t, 60, "TIME_WAIT after the last FIN", timer_slack(60))


# ---- hosts that restart

def server_reboots(net, c_fam, s_fam):
    """server restarted: the client's data gets RST, ECONNRESET; the same ports connect anew (4-31)"""
    cable = net.cable
    srv, cl, acc = net.established(c_fam, s_fam, 5000)
    old = cable.seen("S", SYN | ACK)[0].seq
    net.power_off("S")
    net.boot("S")
    srv = net.listen(s_fam)
    cl.send(b"are you there?")
    cable.pump(lambda: cl.error() == errno.ECONNRESET, 5, "ECONNRESET")
    data, rst = cable.seen("C", ACK, True)[-1], cable.seen("S", RST)[-1]
    expect(rst.seq == data.ack, "the RST's sequence number is the data's ACK")
    net.close(cl)
    net.up(net.connect(c_fam, 5000))
    expect(cable.seen("S", SYN | ACK)[-1].seq != old, "a new ISN")
    net.accept(srv)


def client_reboots(net, c_fam, s_fam):
    """client restarted: RST to the first keepalive probe after 2 h, ECONNRESET (4-115)"""
    cable = net.cable
    srv, cl, acc = net.established(c_fam, s_fam)
    acc.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    begin = cable.now()
    net.power_off("C")
    net.boot("C")
    net.socket("C", c_fam)
    cable.pump(lambda: acc.error() == errno.ECONNRESET, 8200, "ECONNRESET", 10)
    near(cable.seen("C", RST)[-1].t - begin, 7200, "the RST came after", timer_slack(7200))


def client_reboots_same_port(net, c_fam, s_fam):
    """client restarted, same port: challenge ACK, RST, the next SYN completes (4-22, 2-2, X-19)"""
    cable = net.cable
    srv, cl, acc = net.established(c_fam, s_fam, 5000)
    net.power_off("C")
    net.boot("C")
    mark = len(cable.log)
    cl = net.connect(c_fam, 5000)
    net.up(cl)
    new = cable.log[mark:]
    challenge = [s for s in new if s.end == "S" and s.has(ACK)]
    rst = [s for s in new if s.end == "C" and s.has(RST)]
    expect(challenge and rst and rst[0].seq == challenge[0].ack, "challenge ACK, then RST of its ACK")
    expect(acc.error() == errno.ECONNRESET, "the old connection was reset")
    other = net.accept(srv)
    cl.send(b"new")
    cable.pump(lambda: not other.error() and other.recv(9, socket.MSG_PEEK) == b"new"
               if cable.seen("C", ACK, True) else False, 5, "data")


def client_reboots_half_open(net, c_fam, s_fam):
    """client restarted while half open: its new SYN is answered as old, RST, then it connects (4-22, 4-24)"""
    cable = net.cable
    srv = net.listen(s_fam)
    cable.lose(lambda s: s.has(SYN | ACK))
    net.connect(c_fam, 5000)
    cable.pump(lambda: net.states("S", s_fam) == ["SYN_RECV"], 2, "SYN_RECV")
    net.power_off("C")
    cable.heal()
    net.boot("C")
    old = cable.seen("C", SYN)[0].seq
    cl = net.connect(c_fam, 5000)
    if s_fam == "tcp":      # there the new SYN has the request dropped
        cable.pump(lambda: cl.outcome() is not None, 20, "an end")
        if cl.outcome() == errno.ECONNREFUSED:
            cl = net.connect(c_fam, 5000)
    net.up(cl, 20)
    net.accept(srv)
    if s_fam == "xtcp":     # never a RST from the server (D-4)
        expect(not cable.seen("S", RST), "no RST of the server")
        expect([s for s in cable.seen("C", RST) if s.seq == (old + 1) & 0xffffffff],
               "the client refused the old acknowledgment")


def close_wait_same_port(net, c_fam, s_fam):
    """leftover CLOSE_WAIT meets its client's new SYN: challenge ACK, RST, connected (X-19)"""
    cable = net.cable
    net.knob("C", c_fam, "tcp_fin_timeout", 2)
    srv, cl, acc = net.established(c_fam, s_fam, 5000)
    net.close(cl)
    net.await_states("S", s_fam, ["CLOSE_WAIT"])
    net.await_states("C", c_fam, [], 10)
    mark = len(cable.log)
    net.up(net.connect(c_fam, 5000))
    expect([s for s in cable.log[mark:] if s.end == "C" and s.has(RST)], "RST of the client")
    net.await_states("S", s_fam, ["ESTABLISHED"])


# ---- hosts that are gone, cables

def client_off_silent(net, c_fam, s_fam):
    """client powered off, server silent, no keepalive: ESTABLISHED after 3 h (4-110, 4-113)"""
    cable = net.cable
    srv, cl, acc = net.established(c_fam, s_fam)
    cable.rest(1)
    sent = len(cable.log)
    net.power_off("C")
    cable.rest(3 * 3600)
    expect(net.states("S", s_fam) == ["ESTABLISHED"], "state %s" % net.states("S", s_fam))
    expect(len(cable.log) == sent, "nothing was sent")


def client_off_keepalive(net, c_fam, s_fam):
    """client powered off, keepalive: 9 probes, dead at 7875 s with ETIMEDOUT and a RST (4-116, 4-112)"""
    cable = net.cable
    srv, cl, acc = net.established(c_fam, s_fam)
    acc.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    cable.rest(0.5)
    begin = cable.seen("C", ACK)[-1].t
    net.power_off("C")
    cable.pump(lambda: acc.error() == errno.ETIMEDOUT, 9000, "ETIMEDOUT", 20)
    near(cable.seen("S", RST | ACK)[0].t - begin, 7875, "dead after", 2 + timer_slack(7875))
    probes = [s for s in cable.seen("S", ACK) if s.t > begin + 1]
    expect(len(probes) == 9, "%d probes" % len(probes))
    expect(len(cable.seen("S", RST | ACK)) == 1, "RST as it gives up")


def client_off_sending(net, c_fam, s_fam):
    """client powered off, server sends: retries2=15, ETIMEDOUT not before 924 s (4-119)"""
    cable = net.cable
    srv, cl, acc = net.established(c_fam, s_fam)
    cable.rest(0.5)
    net.power_off("C")
    acc.send(b"x")
    took = cable.pump(lambda: acc.error() == errno.ETIMEDOUT, 1200, "ETIMEDOUT", 5)
    # fifteen timeouts since the first retransmission are the least, the next ends it
    expect(924.6 <= took <= 924.6 + 120 + 10, "dead after %.1f s" % took)
    sent = [s for s in cable.seen("S", ACK, True)]
    expect(len(sent) in (16, 17), "%d transmissions" % len(sent))


def heartbeat(net, c_fam, s_fam):
    """client powered off, heartbeat of the application: noticed in 15 s, orphan gone by its limit (4-117)"""
    cable = net.cable
    net.knob("S", s_fam, "tcp_orphan_retries", 3)
    srv, cl, acc = net.established(c_fam, s_fam)
    beats = {"sent": cable.now(), "heard": cable.now(), "answers": 0, "off": 0}

    def beat():
        if not beats["off"] and cl.error() == 0 and readable(cl):
            cl.send(cl.recv(100))
        if readable(acc):
            acc.recv(100)
            beats["heard"] = cable.now()
            beats["answers"] += 1
        if cable.now() - beats["sent"] >= 5:
            acc.send(b"ping")
            beats["sent"] = cable.now()
        if beats["answers"] == 4 and not beats["off"]:
            net.power_off("C")
            beats["off"] = cable.now()
        return cable.now() - beats["heard"] > 15
    cable.pump(beat, 60, "the heartbeat is missed", 0.05)
    near(cable.now() - beats["off"], 15, "noticed after", 1)
    net.close(acc)
    cable.pump(lambda: not net.states("S", s_fam), 60, "the orphan is gone")


for t in (client_off_silent, client_off_keepalive, client_off_sending, heartbeat):
    t.about = "S"


def readable(s):
    try:
        return s.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return False


def cable_pulled(net, c_fam, s_fam):
    """cable out for 30 s in a transfer, link down on both ends: it resumes, every byte is right (4-119)"""
    cable = net.cable
    srv, cl, acc = net.established(c_fam, s_fam)
    data = os.urandom(1 << 20)
    got, sent = bytearray(), [0]

    def step():
        try:
            while sent[0] < len(data):
                sent[0] += cl.send(data[sent[0]:sent[0] + 16384])
        except BlockingIOError:
            pass
        try:
            got.extend(acc.recv(16384))
        except BlockingIOError:
            pass
        return len(got) >= 200000
    cable.pump(step, 30, "part of the transfer")
    for h in "CS":
        os.system("ip link set w%s down" % h)
    begin, had = cable.now(), len(got)
    cable.pump(lambda: step() and cable.now() - begin >= 30, 40, "the pause")
    rest = len(got) - had
    for h in "CS":
        os.system("ip link set w%s up" % h)
    cable.pump(lambda: step() and len(got) == len(data), 120, "the rest of the transfer")
    expect(rest < 6 << 20 and hashlib.sha256(got).digest() == hashlib.sha256(data).digest(), "the bytes")
    expect(cl.error() == 0 and acc.error() == 0, "no error")


# ---- many SYNs, many hosts

def cookies_there(net, _c_fam, s_fam):
    if s_fam != "xtcp":
        return "of AF_XTCP servers"
    with Inside("S"):
        if not os.path.exists("/proc/sys/net/xtcp/tcp_syncookies_key"):
            return "no shared cookie key in this module"
    return None


def cookies_count(net, _c_fam, s_fam):
    """The kernel has that knob in the initial namespace alone."""
    return None if s_fam == "xtcp" else "of AF_XTCP servers"


def fleet(net, c_fam, s_fam, keys):
    """SYN to S, all else to T, which has S's address and perhaps its key."""
    for h, key in zip("ST", keys):
        net.knob(h, s_fam, "tcp_syncookies", 2)
        net.knob(h, s_fam, "tcp_syncookies_key", key)
    net.listen(s_fam, "S")
    other = net.listen(s_fam, "T")
    net.cable.route = lambda seg: "C" if seg.end != "C" else "S" if seg.has(SYN) else "T"
    cl = net.connect(c_fam)
    net.up(cl)
    return other, cl


def fleet_same_key(net, c_fam, s_fam):
    """cookie of host S, ACK and data come to host T with the same key: connected there (4-58)"""
    other, cl = fleet(net, c_fam, s_fam, ["00112233445566778899aabbccddeeff"] * 2)
    acc = net.accept(other)
    cl.send(b"hello, fleet")
    net.cable.pump(lambda: readable(acc), 5, "data")
    expect(acc.recv(99) == b"hello, fleet", "data")
    acc.send(b"hello")
    net.cable.pump(lambda: readable(cl), 5, "answer")
    expect(net.states("S", s_fam) == [] and net.states("T", s_fam) == ["ESTABLISHED"], "only T knows it")


def fleet_old_key(net, c_fam, s_fam):
    """cookie made with the key that T has as its second one: connected, keys can be rolled (4-58)"""
    old = "00112233445566778899aabbccddeeff"
    other, cl = fleet(net, c_fam, s_fam, [old, "ffeeddccbbaa99887766554433221100," + old])
    net.accept(other)


def fleet_other_key(net, c_fam, s_fam):
    """cookie of host S, ACK comes to host T with another key: RST (4-58)"""
    other, cl = fleet(net, c_fam, s_fam, ["00112233445566778899aabbccddeeff",
                                          "ffeeddccbbaa99887766554433221100"])
    net.cable.pump(lambda: cl.error() == errno.ECONNRESET, 5, "ECONNRESET")
    expect(net.states("T", s_fam) == [], "T has nothing")


fleet_old_key.about = fleet_other_key.about = "S"
for t in (fleet_same_key, fleet_old_key, fleet_other_key):
    t.hosts, t.needs = "CST", cookies_there


def flood(net, c_fam, s_fam, count=1500, good=30):
    """Forged SYNs from random sources; the outcomes of a good client in their midst."""
    cable = net.cable
    with Inside("S"):
        put("/proc/sys/net/core/somaxconn", 64)
    listener = net.listen(s_fam, backlog=64)
    cable.route = lambda seg: None if seg.end == "S" and seg.dst != b"\x0a\x3c\x00\x01" else \
        cable.straight(seg)
    took, opened = [], 0
    for i in range(count):
        rnd = os.urandom(8)
        cable.send("S", syn_frame(bytes([11 + rnd[0] % 80, rnd[1], rnd[2], 1 + rnd[3] % 250]),
                                  1024 + i % 60000, struct.unpack("!I", rnd[4:])[0]))
        if i % 32 == 31:
            cable.rest(0.001)
        if i > count // 4 and i % (count // 2 // good) == 0 and len(took) < good:
            cl = net.connect(c_fam)
            begin = cable.now()
            try:
                net.up(cl, 3)
                took.append(cable.now() - begin)
                acc = net.accept(listener)
                opened += 1
                net.close(acc)
                net.close(cl)
            except Failed:
                took.append(None)
                net.close(cl)
                break
    half = net.states("S", s_fam).count("SYN_RECV")
    return took, half


def flood_with_cookies(net, c_fam, s_fam):
    """flood of forged SYNs, cookies on: every connection of a good client succeeds at once (0-8, 0-9, 4-57)"""
    net.knob("S", s_fam, "tcp_syncookies", 1)
    took, half = flood(net, c_fam, s_fam)
    expect(len(took) == 30 and all(t is not None and t < 0.5 for t in took), "times %s" % took)
    expect(60 <= half <= 70, "%d half-open, the limit is 64 or so" % half)
    expect(net.counter("S", s_fam, "SyncookiesSent") > 1000, "cookies were sent")


def flood_without_cookies(net, c_fam, s_fam):
    """flood of forged SYNs, cookies off: the good client gets no answer, the queue is full (0-8, 4-50, 4-54)"""
    net.knob("S", s_fam, "tcp_syncookies", 0)
    net.knob("S", s_fam, "tcp_max_syn_backlog", 64)
    took, half = flood(net, c_fam, s_fam)
    expect(took and took[-1] is None, "the good client connected: %s" % took)
    expect(40 <= half <= 66, "%d half-open" % half)


for t in (flood_with_cookies, flood_without_cookies):
    t.about, t.needs = "S", cookies_count

for t in (syn_ack_timer, third_ack_always_lost, client_reboots):
    t.about = "S"
for t in (syn_ack_always_lost, last_ack_always_lost, client_reboots_same_port, cable_pulled):
    t.about = "all"

TESTS = [syn_ack_lost_once, syn_ack_timer, syn_ack_always_lost, third_ack_lost_once,
         third_ack_always_lost, stray_syn, server_fin_lost, last_ack_lost, last_ack_always_lost,
         server_reboots, client_reboots, client_reboots_same_port, client_reboots_half_open,
         close_wait_same_port, client_off_silent, client_off_keepalive, client_off_sending,
         heartbeat, cable_pulled, fleet_same_key, fleet_old_key, fleet_other_key,
         flood_with_cookies, flood_without_cookies]

if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
