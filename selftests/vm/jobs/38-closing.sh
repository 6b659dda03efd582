#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# uml: timeout=600 time-travel=inf-cpu
#
# Who closes, and what it leaves: web server and clients over xtcp-run, servers
# that forget to close, processes that die. Hours pass in virtual time.
. selftests/vm/guest/tap.sh
. selftests/net/programs_lib.sh

# count STATE: connections of B in it (hexadecimal as in the table).
count()
{
	ip netns exec B awk -v st="$1" 'FNR > 1 && $4 == st { n++ } END { print n + 0 }' \
		/proc/net/xtcp /proc/net/xtcp6
}

# Until COUNT connections of B are in STATE.
await()
{
	local i

	for ((i = 0; i < 100; i++)); do
		[ "$(count "$1")" != "$2" ] || return 0
		read -r -t 0.05 -u "$NOTHING" _
	done
	echo "state $1: $(count "$1"), not $2"
	ip netns exec B cat /proc/net/xtcp
	return 1
}

# nginx LINES: a server with these settings, until "unserve".
nginx_with()
{
	cat >/tmp/nginx.conf <<END
daemon off; master_process off; pid /tmp/nginx.pid; error_log /tmp/nginx.log;
events { worker_connections 256; }
http { access_log off; $1 server { listen 8080; root $WWW; } }
END
	serve xtcp 8080 nginx -c /tmp/nginx.conf
}

# No TIME_WAIT of an earlier case is counted.
fresh()
{
	local ms=/proc/sys/net/xtcp/tcp_timewait_ms

	read -r -t 61 -u "$NOTHING" _
	ip netns exec B cat $ms >/dev/null && await 06 0
}

ab_without_keepalive()
{
	fresh && nginx_with "" || return
	in_ns A tcp ab -q -n 40 -c 4 http://10.99.0.2:8080/page1 >/tmp/ab.out || cat /tmp/ab.out
	await 06 40
	local status=$?
	unserve
	return $status
}

ab_keepalive_requests()
{
	fresh && nginx_with "keepalive_requests 10;" || return
	in_ns A tcp ab -q -k -n 40 -c 1 http://10.99.0.2:8080/page1 >/tmp/ab.out || cat /tmp/ab.out
	await 06 4
	local status=$?
	unserve
	return $status
}

idle_keepalive()
{
	fresh && nginx_with "keepalive_timeout 2;" || return
	in_ns A tcp python3 - <<'END'
import socket, time
s = socket.create_connection(("10.99.0.2", 8080), timeout=30)
s.sendall(b"GET /page0 HTTP/1.1\r\nHost: x\r\n\r\n")
assert b"200 OK" in s.recv(65536)
begin = time.monotonic()
assert s.recv(1) == b""
took = time.monotonic() - begin
assert 1.8 < took < 3, took
END
	local status=$?
	[ $status != 0 ] || await 06 1 || status=2
	unserve
	return $status
}

# leak FAULT N WANTED: clients that send, close and are gone; an hour later.
leak()
{
	local status=0

	serve xtcp 8095 python3 -B selftests/net/host_leak.py "$1" 8095 || return
	in_ns A tcp python3 - "$2" <<'END' || status=1
import socket, sys
for s in [socket.create_connection(("10.99.0.2", 8095)) for _ in range(int(sys.argv[1]))]:
    s.sendall(b"BEGIN; SELECT 1;")
    s.close()
END
	await 08 "$3" || status=2
	read -r -t 3600 -u "$NOTHING" _
	[ "$(count 08)" = "$3" ] || { status=3; count 08; }
	unserve
	await 08 0 || status=4
	return $status
}

# killed UNREAD: what the peer of a process sees that is killed with kill -9.
killed()
{
	local status=0

	mkfifo /tmp/go
	serve xtcp 8096 python3 -c '
import socket, sys, time
l = socket.create_server(("", 8096))
s = l.accept()[0]
if sys.argv[1] == "read": assert s.recv(100) == b"hello"
else: s.recv(100, socket.MSG_PEEK)
open("/tmp/go", "w").close()
time.sleep(1e6)' "$1" || return
	in_ns A tcp python3 -c '
import socket, sys
s = socket.create_connection(("10.99.0.2", 8096), timeout=30)
s.sendall(b"hello")
try:
    print("end" if s.recv(1) == b"" else "data")
except ConnectionResetError:
    print("reset")' >/tmp/seen &
	local client=$!
	read -r _ </tmp/go
	kill -9 "$SERVER"
	wait "$client" || status=1
	wait "$SERVER" 2>/dev/null
	rm /tmp/go
	[ "$(cat /tmp/seen)" = "$2" ] || { cat /tmp/seen; status=2; }
	return $status
}

insmod /xtcp/xtcp.ko && programs_setup && warm nginx ab ip && warm_python || { echo "Bail out! set-up"; exit 1; }
exec {NOTHING}<> <(:)
ok "ab without -k: 40 requests leave 40 TIME_WAIT on nginx's host (4-100)" ab_without_keepalive
ok "nginx keepalive_requests 10: 40 requests leave 4 TIME_WAIT (4-103)" ab_keepalive_requests
ok "nginx keepalive_timeout 2: an idle client is closed then, TIME_WAIT there (4-102)" idle_keepalive
ok "server never accepts: CLOSE_WAIT, also after an hour (4-106, 4-107)" leak never-accept 12 12
ok "server never looks at what it accepted: CLOSE_WAIT, also after an hour (4-108)" leak unwatched 12 12
ok "server never reads: CLOSE_WAIT, also after an hour (4-108)" leak unread 12 12
ok "server reads the end and does not close: CLOSE_WAIT, also after an hour (4-104, 4-109, 0-21)" \
	leak unclosed 12 12
ok "server that closes: none is left (4-105)" leak good 12 0
ok "kill -9, all data read: the peer sees the end (4-118)" killed read end
ok "kill -9, unread data: the peer is reset (4-118, D-18)" killed unread reset
done_testing
