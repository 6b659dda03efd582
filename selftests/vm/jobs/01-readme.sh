#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp=2 timeout=240
#
# The commands of README, on a machine where the module and the tools were
# installed by "make install" (scripts/readme-check made build/readme).
. selftests/vm/guest/tap.sh

root=build/readme/root
if [ ! -e $root ]; then
	echo "Bail out! run scripts/readme-check first"
	exit 1
fi
cp -a $root/lib/modules/. /lib/modules/
cp -a $root/usr/local/. /usr/local/
depmod "$(uname -r)"
cp build/readme/hello /usr/local/bin/hello
# Installed: nothing may come from the build tree.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p /tmp/readme
cd /tmp/readme || exit 1

# Each command by itself, so that the one that fails is named. A block's
# background jobs live on: all runs in this shell.
n=0
while IFS= read -r line; do
	[[ $line =~ [^[:space:]] ]] || continue
	n=$((n + 1))
	eval "$line" >/tmp/out 2>&1
	status=$?
	tap_result $status "$line"
	sed 's/^/#   /' /tmp/out | head -n 20
	# A server that was put in the background is up when it listens.
	if [[ $line == *'&' ]]; then
		pid=$!
		until grep -qE ': [0-9A-F]+:1F90 .* 0A ' /proc/net/xtcp /proc/net/xtcp6; do
			kill -0 $pid || break
			read -r -t 0.05 <> <(:)
		done
	fi
done < <(/xtcp/scripts/readme-blocks 'sh vm')
kill $(jobs -p) 2>/dev/null
ok "README tells of net.core.netdev_max_backlog, and it takes (4-55)" \
	[ "$(sysctl -n net.core.netdev_max_backlog)" = 10000 ]
ok "README has commands to run" test $n -ge 10
done_testing
