#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# uml: timeout=600
#
# Unmodified daemons with processes and users of their own over xtcp-run, on one end
# or both: PostgreSQL under pgbench, sshd under ssh and scp. ONLY and WITH as in
# 15-programs.sh.
. selftests/vm/guest/tap.sh
. selftests/net/programs_lib.sh
PG=/usr/lib/postgresql/15/bin
PGDATA=/tmp/pgdata

# PostgreSQL does not run as root.
as_postgres()
{
	setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
}

postgres_setup()
{
	[ ! -d $PGDATA ] || return 0
	install -d -o postgres $PGDATA &&
		as_postgres $PG/initdb -D $PGDATA -A trust --no-sync -U postgres >/tmp/initdb.log 2>&1 ||
		{ tail -5 /tmp/initdb.log; return 1; }
	printf 'host all all all trust\n' >>$PGDATA/pg_hba.conf
	cat >>$PGDATA/postgresql.conf <<'END'
listen_addresses = '*'
port = 5499
unix_socket_directories = '/tmp'
fsync = off
shared_buffers = 16MB
tcp_keepalives_idle = 30
tcp_user_timeout = 60000
END
}

psql_in()
{
	in_ns "$1" "$2" psql -X -A -t -q -U postgres -h "$3" -p 5499 "${@:4}" postgres
}

# pgbench's own sums must balance; then one row of a megabyte, there and back.
test_postgres()
{
	local status=0 sums

	postgres_setup || return
	serve "$1" 5499 setpriv --reuid=postgres --regid=postgres --clear-groups \
		$PG/postgres -D $PGDATA || return
	in_ns "$3" "$2" $PG/pgbench -q -i -s 1 -U postgres -h "$4" -p 5499 postgres >/tmp/pg.out 2>&1 || status=2
	in_ns "$3" "$2" $PG/pgbench -n -c 4 -t 25 -U postgres -h "$4" -p 5499 postgres >/tmp/pg.out 2>&1 || status=3
	grep -q 'actually processed: 100/100' /tmp/pg.out || status=4
	# a connection for each transaction
	in_ns "$3" "$2" $PG/pgbench -n -C -S -c 2 -t 10 -U postgres -h "$4" -p 5499 postgres >/tmp/pg.out 2>&1 || status=5
	grep -q 'actually processed: 20/20' /tmp/pg.out || status=6
	[ $status = 0 ] || tail -5 /tmp/pg.out
	sums=$(psql_in "$3" "$2" "$4" -c "select (select sum(delta) from pgbench_history) =
		(select sum(abalance) from pgbench_accounts), count(*) from pgbench_history")
	[ "$sums" = "t|100" ] || { echo "sums: $sums"; status=7; }
	[ "$(psql_in "$3" "$2" "$4" -c "select md5(repeat('xtcp', 262144))")" = \
	  "$(psql_in "$3" "$2" "$4" -c "select repeat('xtcp', 262144)" | head -c -1 | md5sum | cut -c 1-32)" ] || status=8
	unserve
	return $status
}

ssh_setup()
{
	[ ! -e /tmp/ssh/key ] || return 0
	mkdir -p /run/sshd /tmp/ssh /root/.ssh && chmod 700 /root/.ssh || return
	ssh-keygen -q -t ed25519 -N '' -f /tmp/ssh/host && ssh-keygen -q -t ed25519 -N '' -f /tmp/ssh/key || return
	cp /tmp/ssh/key.pub /root/.ssh/authorized_keys
	cat >/tmp/ssh/sshd_config <<'END'
Port 2299
HostKey /tmp/ssh/host
PidFile none
UsePAM no
PasswordAuthentication no
AllowTcpForwarding yes
Subsystem sftp internal-sftp
END
	cat >/tmp/ssh/config <<'END'
Host *
	Port 2299
	IdentityFile /tmp/ssh/key
	StrictHostKeyChecking no
	UserKnownHostsFile /dev/null
	LogLevel ERROR
	ServerAliveInterval 15
END
}

# A file there and back, and what a command makes of its input.
test_ssh()
{
	local status=0 line

	ssh_setup || return
	serve "$1" 2299 /usr/sbin/sshd -D -e -f /tmp/ssh/sshd_config || return
	rm -f /tmp/there /tmp/back
	in_ns "$3" "$2" scp -q -F /tmp/ssh/config $WWW/big "root@$(host "$4"):/tmp/there" || status=2
	cmp /tmp/there $WWW/big || status=3
	in_ns "$3" "$2" scp -q -F /tmp/ssh/config "root@$(host "$4"):/tmp/there" /tmp/back || status=4
	cmp /tmp/back $WWW/big || status=5
	line=$(head -c 300000 $WWW/big | in_ns "$3" "$2" ssh -F /tmp/ssh/config "root@$4" sha256sum | cut -c 1-64)
	[ "$line" = "$(head -c 300000 $WWW/big | sha256sum | cut -c 1-64)" ] || { echo "said: $line"; status=6; }
	[ $status = 0 ] || tail -5 /tmp/server.log
	unserve
	return $status
}

insmod /xtcp/xtcp.ko || { echo "Bail out! insmod"; exit 1; }
programs_setup || { echo "Bail out! netns"; exit 1; }
declare -A COMBOS=(
	[postgres]="xtcp:xtcp:veth4 xtcp:tcp:lo6 tcp:xtcp:veth6"
	[ssh]="xtcp:xtcp:veth6 xtcp:tcp:veth4 tcp:xtcp:lo4"
)
for program in ${ONLY:-${*:-postgres ssh}}; do
	# shellcheck disable=SC2086
	with "$program" ${WITH:-${COMBOS[$program]}}
done
done_testing
