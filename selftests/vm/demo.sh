#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What "make demo" runs in its two guests: a serves (e1000), b fetches
# (virtio-net). Every claim on the screen is checked; the first that fails ends
# the demonstration with a non-zero status.
set -eu -o pipefail
cd /xtcp
dev=$(cat /run/xtcp-dev)
run=${XTCP_DEMO_RUN:-xtcp-run}		# the tests' own trial runs say xtcp-run --fallback
www=/tmp/www
ladder_port=45001			# of the one connection that is drawn

title() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
say() { printf '   %s\n' "$*"; }
die() { printf 'demo FAILED on %s: %s\n' "$XTCP_NAME" "$*"; exit 1; }
show() { printf '   %s# %s\n' "$XTCP_NAME" "$*"; "$@" 2>&1 | sed 's/^/     /'; }
meet() { xtcp-sync "$@" >/tmp/met; cat /tmp/met; }

# The one-liner everybody knows from netstat, on xtcp's own table.
states()
{
	awk 'BEGIN { split("ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT " \
			   "CLOSE CLOSE_WAIT LAST_ACK LISTEN CLOSING", name, " ") }
	     FNR > 1 { n[name[strtonum_hex($4)]]++ }
	     function strtonum_hex(h) { return index("123456789AB", substr(h, 2)) }
	     END { for (s in n) printf "%s %d  ", s, n[s]; print "" }' "$@"
}

count() { awk -v s="$1" '$4 == s { n++ } END { print n + 0 }' /proc/net/xtcp /proc/net/xtcp6; }

knob() { cat "/proc/sys/net/xtcp/$1"; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }

serve()		# PORT PREFIX...: nginx on PORT, run by PREFIX
{
	local port=$1

	shift
	cat >"/tmp/nginx-$port.conf" <<END
pid /tmp/nginx-$port.pid;
error_log /tmp/nginx-$port.log;
worker_processes 1;
events { worker_connections 512; }
http {
	access_log off;
	sendfile on;
	tcp_nopush on;
	server { listen $port; listen [::]:$port; root $www; }
}
END
	"$@" nginx -c "/tmp/nginx-$port.conf" || die "nginx did not start: $(cat "/tmp/nginx-$port.log")"
}

load()
{
	insmod xtcp.ko || die "insmod"
	say "$XTCP_NAME: Linux $(uname -r), $dev is $(basename "$(readlink "/sys/class/net/$dev/device/driver")"), xtcp $(modinfo -F version xtcp.ko) loaded"
}

# fetch URL SHA256 PREFIX...: over whatever TCP the prefix says.
fetch()
{
	local url=$1 sum=$2 got

	shift 2
	got=$("$@" curl -sSf --max-time 60 -w '%{stderr}   %{size_download} bytes in %{time_total} s, HTTP %{http_code}\n' \
		"$url" | sha256sum) || die "curl $url"
	[ "${got%% *}" = "$sum" ] || die "$url: the hash is ${got%% *}, not $sum"
	say "SHA-256 ${sum:0:16}... is right"
}

pages()		# how many of the small pages arrived whole
{
	rm -rf /tmp/got
	mkdir /tmp/got
	"$@" curl -sSf --max-time 60 -H 'Connection: close' \
		"http://a/p[1-200].html" -o "/tmp/got/p#1.html" >/dev/null || die "curl of 200 pages"
	(cd /tmp/got && sha256sum p*.html | sort | sha256sum | cut -c 1-64)
}

server()
{
	local i big small

	mkdir -p $www
	head -c 12582912 /dev/urandom >$www/big.bin
	for ((i = 1; i <= 200; i++)); do
		printf '<html><body>page %d %s</body></html>\n' "$i" "$(head -c 300 /dev/urandom | base64 -w 0)" >"$www/p$i.html"
	done
	big=$(sha256sum $www/big.bin | cut -c 1-64)
	small=$(cd $www && sha256sum p*.html | sort | sha256sum | cut -c 1-64)

	title "1. two machines on one Ethernet"
	load
	xtcp-sync loaded >/dev/null
	xtcp-sync loaded2 >/dev/null

	title "2. an unmodified nginx over AF_XTCP, an unmodified curl on kernel TCP"
	serve 80 $run
	say "a# $run nginx"
	xtcp-sync serving "$big $small" >/dev/null
	xtcp-sync fetched >/dev/null

	title "3. the states, while a slow reader fetches the big file"
	xtcp-sync slow-started >/dev/null
	show env PROC_NET_TCP=/proc/net/xtcp PROC_NET_TCP6=/proc/net/xtcp6 ss -Htnpo state established
	say "a# the state-counting awk on /proc/net/xtcp and xtcp6:"
	say "  $(states /proc/net/xtcp /proc/net/xtcp6)"
	xtcp-sync slow-shown >/dev/null

	title "4. one small page, segment by segment (xtcp-trace on a, times in s)"
	local trace line=
	mkfifo /tmp/trace.err
	xtcp-trace -p $ladder_port --color=always >/tmp/ladder 2>/tmp/trace.err &
	trace=$!
	exec 7</tmp/trace.err
	until [[ $line == *tracing* ]]; do
		read -r line <&7 || die "xtcp-trace did not start"
	done
	xtcp-sync ladder-go >/dev/null
	xtcp-sync ladder-done >/dev/null
	until grep -q 'CLOSE (\|TIME_WAIT (' /tmp/ladder; do
		kill -0 $trace || die "xtcp-trace ended"
		read -r -t 0.05 <> <(:) || true
	done
	kill -INT $trace
	wait $trace || die "xtcp-trace ended badly"
	sed 's/^/   /' /tmp/ladder

	title "5. what the sysctls do"
	say "a# tcp_timewait_ms is $(knob tcp_timewait_ms): TIME_WAIT entries now: $(count 06)"
	echo 1000 >/proc/sys/net/xtcp/tcp_timewait_ms
	say "a# echo 1000 >/proc/sys/net/xtcp/tcp_timewait_ms, then 200 more connections"
	local before start waited
	before=$(count 06)
	xtcp-sync short-go >/dev/null
	xtcp-sync short-done >/dev/null
	start=$(now_ms)
	say "   $(count 06) entries right after"
	until [ "$(count 06)" -le "$before" ]; do
		waited=$(($(now_ms) - start))
		[ $waited -lt 8000 ] || die "entries stay: $(count 06) of $before"
		read -r -t 0.05 <> <(:) || true
	done
	say "   $(count 06) after $(($(now_ms) - start)) ms: the new ones are gone, the old ones keep their minute"
	iptables -I INPUT -p tcp --dport 81 -j DROP
	xtcp-sync blackhole >/dev/null
	xtcp-sync blackhole-done >/dev/null

	title "6. the other way: curl over AF_XTCP, nginx on kernel TCP"
	serve 8080
	say "a# nginx"
	xtcp-sync plain >/dev/null
	xtcp-sync plain-done >/dev/null

	for i in /tmp/nginx-*.pid; do kill "$(cat "$i")"; done
	xtcp-sync bye >/dev/null
}

client()
{
	local big small got start took i

	meet loaded
	load
	xtcp-sync loaded2 >/dev/null
	read -r big small <<<"$(meet serving)"
	say "b# curl http://a/big.bin"
	fetch http://a/big.bin "$big"
	say "b# curl http://[fd77::1]/big.bin"
	fetch "http://[fd77::1]/big.bin" "$big"
	say "b# curl -H 'Connection: close' http://a/p[1-200].html"
	start=$(now_ms)
	got=$(pages)
	[ "$got" = "$small" ] || die "the small pages differ"
	say "200 pages, 200 connections, $(($(now_ms) - start)) ms, every hash right"
	xtcp-sync fetched >/dev/null

	curl -sS --limit-rate 200k --max-time 120 -o /dev/null http://a/big.bin 2>/dev/null &
	local slow=$!
	until [ -n "$(ss -Htn state established '( dport = :80 )')" ]; do
		read -r -t 0.05 <> <(:) || true
	done
	xtcp-sync slow-started >/dev/null
	xtcp-sync slow-shown >/dev/null
	kill $slow
	wait $slow || true

	xtcp-sync ladder-go >/dev/null
	curl -sSf -4 --local-port $ladder_port -H 'Connection: close' -o /dev/null http://a/p1.html ||
		die "one page"
	xtcp-sync ladder-done >/dev/null

	xtcp-sync short-go >/dev/null
	[ "$(pages)" = "$small" ] || die "the small pages differ"
	xtcp-sync short-done >/dev/null

	xtcp-sync blackhole >/dev/null
	echo 1 >/proc/sys/net/xtcp/tcp_syn_retries
	echo 200 >/proc/sys/net/xtcp/tcp_init_rto_ms
	say "a firewall on a drops port 81; b# tcp_syn_retries=1 tcp_init_rto_ms=200"
	start=$(now_ms)
	if $run curl -s -4 http://a:81/; then die "port 81 answered"; fi
	took=$(($(now_ms) - start))
	say "b# xtcp-run curl http://a:81/ gave up after $took ms (200 + 400; the default waits 63 s)"
	[ $took -ge 600 ] && [ $took -lt 10000 ] || die "connect() took $took ms"
	echo 5 >/proc/sys/net/xtcp/tcp_syn_retries
	echo 1000 >/proc/sys/net/xtcp/tcp_init_rto_ms
	xtcp-sync blackhole-done >/dev/null

	xtcp-sync plain >/dev/null
	say "b# $run curl http://a:8080/big.bin"
	fetch http://a:8080/big.bin "$big" $run
	say "b# $run curl http://[fd77::1]:8080/big.bin"
	fetch "http://[fd77::1]:8080/big.bin" "$big" $run
	for i in /proc/net/xtcp /proc/net/xtcp6; do
		say "b# $i: $(states $i)"
	done
	xtcp-sync plain-done >/dev/null
	xtcp-sync bye >/dev/null
	title "all of it worked"
}

case $XTCP_NAME in
a) server ;;
b) client ;;
esac
