#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp=2 timeout=450
#
# Unmodified programs over xtcp-run, on one end or both; every byte is compared.
# ONLY="nginx redis" runs some, WITH="tcp:tcp:veth4 ..." in other ways.
. selftests/vm/guest/tap.sh
. selftests/net/programs_lib.sh

nginx_conf()
{
	cat <<END
daemon off;
master_process on;
pid /tmp/nginx.pid;
error_log /tmp/nginx.log;
worker_processes 2;
events { worker_connections 256; }
http {
	access_log off;
	sendfile on;
	tcp_nopush on;
	keepalive_timeout 5;
	server { listen 8080; listen [::]:8080; root $WWW; }
	server { listen 8081 reuseport so_keepalive=10:5:3 backlog=300; root $WWW; }
}
END
}

# The big file, then twenty small ones over connections that are kept.
fetch_with_curl()
{
	local url=$4 i args=()

	mkdir -p /tmp/got && rm -f /tmp/got/*
	for ((i = 0; i < 20; i++)); do
		args+=(-o "/tmp/got/page$i" "$url/page$i")
	done
	in_ns "$3" "$2" curl -gsSf --max-time 100 -o /tmp/got/big "$url/big" "${args[@]}" &&
		(cd /tmp/got && sha256sum --quiet -c /tmp/sums)
}

test_nginx()
{
	local status=0 url

	url="http://$(host "$4"):8080"
	nginx_conf >/tmp/nginx.conf
	serve "$1" 8080 nginx -c /tmp/nginx.conf || return
	fetch_with_curl "$1" "$2" "$3" "$url" || status=$?
	in_ns "$3" "$2" curl -gsS -o /dev/null -w '%{http_code}\n' "$url/nothing" |
		grep -qx 404 || status=2
	unserve
	return $status
}

test_wget()
{
	local status=0

	nginx_conf >/tmp/nginx.conf
	serve "$1" 8080 nginx -c /tmp/nginx.conf || return
	rm -rf /tmp/got && mkdir /tmp/got
	in_ns "$3" "$2" wget -q -T 60 -t 1 -P /tmp/got "http://$(host "$4"):8080/big" &&
		cmp /tmp/got/big $WWW/big || status=$?
	unserve
	return $status
}

# Many connections, each closed by the server, then kept ones.
test_ab()
{
	local status=0 keep

	nginx_conf >/tmp/nginx.conf
	serve "$1" 8080 nginx -c /tmp/nginx.conf || return
	for keep in "" -k; do
		in_ns "$3" "$2" ab -q $keep -n 400 -c 20 \
			"http://$(host "$4"):8080/page3" >/tmp/ab.out 2>&1 || status=$?
		grep -q '^Complete requests: *400$' /tmp/ab.out || status=2
		grep -q '^Failed requests: *0$' /tmp/ab.out || status=3
		! grep -q '^Non-2xx' /tmp/ab.out || status=4
		[ $status = 0 ] || break
	done
	[ $status = 0 ] || cat /tmp/ab.out
	unserve
	return $status
}

test_python()
{
	local status=0

	serve "$1" 8090 python3 -m http.server --bind :: --directory $WWW 8090 || return
	in_ns "$3" "$2" python3 - "http://$(host "$4"):8090" <<'END' || status=$?
import hashlib, sys, threading, urllib.request
sums = dict(reversed(l.split()) for l in open("/tmp/sums"))
bad = []
def get(name):
    data = urllib.request.urlopen(sys.argv[1] + "/" + name, timeout=60).read()
    if hashlib.sha256(data).hexdigest() != sums[name]:
        bad.append(name)
    else:
        done.append(name)
done = []
threads = [threading.Thread(target=get, args=(n,)) for n in list(sums)[:8]]
for t in threads: t.start()
for t in threads: t.join()
sys.exit(bad != [] or len(done) != 8)
END
	unserve
	return $status
}

# asyncio: epoll, edge cases of connect and of half-close.
test_asyncio()
{
	local status=0

	serve "$1" 8091 python3 -c '
import asyncio
async def echo(r, w):
    data = await r.read()
    w.write(data[::-1]); await w.drain(); w.close()
async def main():
    s = await asyncio.start_server(echo, "::", 8091)
    await s.serve_forever()
asyncio.run(main())' || return
	in_ns "$3" "$2" timeout 100 python3 -c '
import asyncio, os, sys
async def one(n):
    r, w = await asyncio.open_connection(sys.argv[1], 8091)
    data = os.urandom(n)
    w.write(data); w.write_eof()
    got = await r.read()
    w.close()
    assert got == data[::-1], (len(got), n)
async def main():
    await asyncio.gather(*(one(n * n * 300) for n in range(20)))
asyncio.run(main())' "$4" || { status=$?; cat /tmp/server.log; }
	unserve
	return $status
}

test_redis()
{
	local status=0 cli="redis-cli -h $4 -p 6399" i

	serve "$1" 6399 redis-server --port 6399 --bind 0.0.0.0 :: --protected-mode no \
		--save '' --tcp-keepalive 30 || return
	for ((i = 0; i < 3000; i++)); do
		printf 'SET key%d value%d\r\n' "$i" "$((i * 7))"
	done >/tmp/redis.in
	in_ns "$3" "$2" $cli --pipe </tmp/redis.in | grep -q 'errors: 0, replies: 3000' || status=2
	[ "$(in_ns "$3" "$2" $cli dbsize)" = 3000 ] || status=3
	[ "$(in_ns "$3" "$2" $cli get key1234)" = value8638 ] || status=4
	head -c 2000000 $WWW/big | base64 -w 0 >/tmp/redis.big
	in_ns "$3" "$2" $cli -x set big </tmp/redis.big | grep -qx OK || status=5
	in_ns "$3" "$2" $cli get big | head -c -1 | cmp - /tmp/redis.big || status=6
	in_ns "$3" "$2" redis-benchmark -h "$4" -p 6399 -q -c 20 -n 1000 -t set,get,incr,lpush \
		>/tmp/bench.out 2>&1 || status=7
	[ "$(tr '\r' '\n' </tmp/bench.out | grep -c 'requests per second')" -ge 4 ] || status=8
	i=$(in_ns "$3" "$2" $cli get counter:__rand_int__)
	[ "$i" = 1000 ] || { echo "counted $i"; cat /tmp/bench.out; status=9; }
	unserve
	return $status
}

test_iperf3()
{
	local status=0 args

	serve "$1" 5201 iperf3 -s || return
	for args in "-n 20M" "-n 10M -R" "-n 10M -P 3" "-n 3M -l 1000 -N"; do
		in_ns "$3" "$2" timeout 100 iperf3 -J -c "$4" $args >/tmp/iperf.json &&
			python3 - $args <<'END' || { status=2; tail -5 /tmp/iperf.json; break; }
import json, sys
end = json.load(open("/tmp/iperf.json"))
assert "error" not in end, end["error"]
end = end["end"]
n = int(sys.argv[2][:-1]) << 20
assert end["sum_sent"]["bytes"] >= n, (sys.argv, end["sum_sent"])
# At the end the server leaves unread what is still on its way.
assert end["sum_received"]["bytes"] >= n * 0.3, (sys.argv, end["sum_received"])
END
	done
	unserve
	return $status
}

# Client -> haproxy -> nginx, each leg on its own stack.
test_haproxy()
{
	local status=0 web

	nginx_conf >/tmp/nginx.conf
	serve "$1" 8080 nginx -c /tmp/nginx.conf || return
	web=$SERVER
	cat >/tmp/haproxy.cfg <<'END'
global
	maxconn 200
defaults
	mode http
	timeout connect 10s
	timeout client 60s
	timeout server 60s
frontend f
	bind :::8088 v4v6
	default_backend b
backend b
	server s1 127.0.0.1:8080 check inter 500
END
	if serve "$1" 8088 haproxy -db -f /tmp/haproxy.cfg; then
		fetch_with_curl "$1" "$2" "$3" "http://$(host "$4"):8088" || status=$?
		unserve
	else
		status=9
	fi
	SERVER=$web
	unserve
	return $status
}

test_memcached()
{
	local status=0

	serve "$1" 11299 memcached -u root -p 11299 -U 0 -t 4 -l 0.0.0.0,:: || return
	in_ns "$3" "$2" timeout 100 python3 - "$4" <<'END' || status=$?
import os, socket, sys
def dial():
    s = socket.create_connection((sys.argv[1], 11299), timeout=60)
    return s, s.makefile("rwb")
conns = [dial() for _ in range(20)]
items = {b"k%d" % i: os.urandom(i * 37 % 9000) for i in range(200)}
for i, (k, v) in enumerate(items.items()):
    f = conns[i % 20][1]
    f.write(b"set %s 0 0 %d\r\n%s\r\n" % (k, len(v), v)); f.flush()
    assert f.readline() == b"STORED\r\n"
for i, (k, v) in enumerate(items.items()):
    f = conns[(i + 7) % 20][1]
    f.write(b"get %s\r\n" % k); f.flush()
    assert f.readline() == b"VALUE %s 0 %d\r\n" % (k, len(v))
    assert f.read(len(v) + 2) == v + b"\r\n"
    assert f.readline() == b"END\r\n"
f = conns[0][1]
f.write(b"stats\r\n"); f.flush()
stats = dict(l.split()[1:3] for l in iter(f.readline, b"END\r\n"))
assert stats[b"curr_items"] == b"200", stats
END
	unserve
	return $status
}

# Whole files through pipes; the connection's end is the file's end.
test_socat()
{
	local status=0

	serve "$1" 9001 socat -u TCP6-LISTEN:9001,ipv6only=0,reuseaddr OPEN:/tmp/got.big,creat,trunc ||
		return
	in_ns "$3" "$2" socat -u OPEN:$WWW/big "TCP:$(host "$4"):9001" || status=$?
	wait "$SERVER" || status=2
	cmp /tmp/got.big $WWW/big || status=3
	return $status
}

test_netcat()
{
	local status=0

	serve "$1" 9002 bash -c "nc -N -l 9002 <$WWW/big" || return
	in_ns "$3" "$2" nc -d "$4" 9002 >/tmp/got.big || status=$?
	wait "$SERVER" || status=2
	cmp /tmp/got.big $WWW/big || status=3
	return $status
}

insmod /xtcp/xtcp.ko || { echo "Bail out! insmod"; exit 1; }
programs_setup || { echo "Bail out! netns"; exit 1; }
declare -A COMBOS=(
	[nginx]="xtcp:xtcp:veth4 xtcp:tcp:veth6 tcp:xtcp:veth4 xtcp:xtcp:lo6"
	[wget]="xtcp:tcp:veth4 xtcp:xtcp:lo4 tcp:xtcp:veth6"
	[ab]="xtcp:tcp:veth4 tcp:xtcp:veth4 xtcp:xtcp:lo4"
	[python]="xtcp:xtcp:veth6 xtcp:tcp:veth4"
	[asyncio]="xtcp:xtcp:veth6 tcp:xtcp:lo6"
	[redis]="xtcp:xtcp:veth4 tcp:xtcp:veth6 xtcp:tcp:lo4"
	[iperf3]="xtcp:xtcp:veth4 xtcp:tcp:veth6 tcp:xtcp:veth4"
	[haproxy]="xtcp:xtcp:veth4 xtcp:tcp:veth6"
	[memcached]="xtcp:xtcp:veth6 xtcp:tcp:lo4 tcp:xtcp:veth4"
	[socat]="xtcp:xtcp:veth4 tcp:xtcp:veth6"
	[netcat]="xtcp:tcp:veth4 xtcp:xtcp:lo4"
)
for program in ${ONLY:-${*:-nginx wget ab python asyncio redis iperf3 memcached socat netcat}}; do
	# shellcheck disable=SC2086
	with "$program" ${WITH:-${COMBOS[$program]}}
done
done_testing
