#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# xtcp-run and libxtcp-preload.so, with the module (insmod first) or without.
# PROTO is what a TCP socket must turn into: 261, or 6 without the module.
. selftests/vm/guest/tap.sh
run=build/tools/xtcp-run
probe=build/net/preload_probe
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
if [ -d /sys/module/xtcp ]; then
	PROTO=261
else
	PROTO=6
fi

wanted()
{
	local p=$1

	printf '%s\n' "inet $p " "inet6 $p " "tcp $p " "tcp6 $p " "flags $p nonblockcloexec" \
		"udp 17 " "udp6 17 " "unix 0 " "seqpacket 0 " "wild EPROTONOSUPPORT" "dlsym $p " \
		"zerocopy yes" "zerocopy6 yes" "zerocopy-unix EOPNOTSUPP"
	for _ in 1 2 3 4 5 6 7 8; do
		echo "thread $p "
	done
	printf '%s\n' "fork $p " "exec $p "
}

is "--fallback gives sockets of protocol $PROTO in every case" \
	"$($run --fallback $probe 2>/dev/null)" "$(wanted $PROTO)"
is "without xtcp-run everything is TCP" "$($probe)" "$(wanted 6)"
if [ $PROTO = 261 ]; then
	is "without --fallback as well" "$($run $probe 2>&1)" "$(wanted 261)"
	is "nothing is said when it works" "$($run $probe exec 2>&1 >/dev/null)" ""
else
	is "no module: the program sees the error" \
		"$($run $probe 2>/dev/null | sed -n 1p)" "inet EAFNOSUPPORT"
	is "no module: UDP works all the same" \
		"$($run $probe 2>/dev/null | grep udp6)" "udp6 17 "
	is "no module: one line on stderr per program" \
		"$($run $probe 2>&1 >/dev/null | wc -l)" 2
	ok "it names the reason" \
		bash -c "$run $probe exec 2>&1 | grep -q 'is the xtcp module loaded'"
	ok "and the fallback" \
		bash -c "$run --fallback $probe exec 2>&1 | grep -q 'using kernel TCP'"
	is "stderr may be closed" "$($run -f $probe close2)" "close2 6 "
fi

ok "--help" $run --help
ok "--version" bash -c "$run --version | grep -q '^xtcp-run [0-9]'"
is "exit status is the program's" "$($run -f sh -c 'exit 7'; echo $?)" 7
is "arguments arrive" "$($run -f printf '%s|' 'a b' '' -x)" "a b||-x|"
is "options behind the program are its own" "$($run -f echo --help -f)" "--help -f"
is "no program: usage" "$($run >/dev/null 2>&1; echo $?)" 125
is "unknown option" "$($run --nosuch ls >/dev/null 2>&1; echo $?)" 125
is "not found" "$($run nosuchprogram 2>/dev/null; echo $?)" 127
: >"$dir/data"
is "not executable" "$($run "$dir/data" 2>/dev/null; echo $?)" 126
is "LD_PRELOAD of before is kept, in front" \
	"$(LD_PRELOAD=libdl.so.2 $run -f sh -c 'echo ${LD_PRELOAD%%:*}')" libdl.so.2
is "twice does not add it twice" \
	"$($run -f $run -f sh -c 'echo $LD_PRELOAD' | tr ':' '\n' | grep -c xtcp)" 1
is "--fallback does not leak into a stricter run" \
	"$($run -f $run sh -c 'echo $XTCP_FALLBACK')" ""
is "works from elsewhere, through a link" \
	"$(ln -s "$PWD/$run" "$dir/xr"; cd / && "$dir/xr" -f echo ok)" ok

# Programs the library cannot reach.
if command -v ldconfig >/dev/null && ! [ "$(head -c 2 "$(command -v ldconfig)")" = '#!' ]; then
	is "a static program is refused" "$($run ldconfig -p 2>&1 >/dev/null; echo $?)" \
		"xtcp-run: $(command -v ldconfig) is statically linked; not run (see --fallback)
126"
	ok "but runs with --fallback" $run -f ldconfig -p
else
	skip "a static program is refused" "none here"
	skip "but runs with --fallback" "none here"
fi
printf '#!%s\nno such thing\n' "$(command -v ldconfig)" >"$dir/script"
chmod +x "$dir/script"
is "a script is judged by its interpreter" "$($run "$dir/script" 2>/dev/null; echo $?)" 126
cp "$run" "$dir/xtcp-run"
mkdir "$dir/a b"
cp build/tools/* "$dir/a b/"
is "a path that LD_PRELOAD cannot hold" "$("$dir/a b/xtcp-run" ls 2>/dev/null; echo $?)" 125
cp "$(readlink -f /bin/echo)" "$dir/setuid" && chmod 4755 "$dir/setuid"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$dir"
	is "a setuid program is refused" \
		"$(setpriv --reuid 65534 --clear-groups $run "$dir/setuid" x 2>&1 | grep -o setuid\ or)" \
		"setuid or"
else
	skip "a setuid program is refused" "not root, or no setpriv"
fi
done_testing
