// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/net/xtcp says of a connection what /proc/net/tcp says, and ss and awk
 * read it as well.
 */
#include <kselftest_harness.h>
#include <ctype.h>
#include <sys/stat.h>

#include "diff.h"

DIFF_FIXTURE()

static const char *view(struct run *t)
{
	if (t->xtcp)
		return t->v6 ? "/proc/net/xtcp6" : "/proc/net/xtcp";
	return t->v6 ? "/proc/net/tcp6" : "/proc/net/tcp";
}

struct line {
	char local[64], remote[64];
	unsigned int state, txq, rxq, timer, retrans, uid, probes;
	unsigned long when, inode;
	int refs, fields;
};

static bool parse_line(const char *text, struct line *l)
{
	char sl[16], rest[64] = "";
	int n;

	memset(l, 0, sizeof(*l));
	n = sscanf(text, "%15s %63s %63s %x %x:%x %x:%lx %x %u %u %lu %d %*s %63[^\n]", sl,
		   l->local, l->remote, &l->state, &l->txq, &l->rxq, &l->timer, &l->when,
		   &l->retrans, &l->uid, &l->probes, &l->inode, &l->refs, rest);
	for (l->fields = n; *rest && n == 14; n++)
		l->fields = n;
	return l->fields >= 13;
}

/* The line of the socket with this name and, unless 0, this remote port. */
static bool find_line(struct run *t, const struct addr *name, unsigned int remote,
		      struct line *l)
{
	char text[512], port[8], peer[8];
	FILE *f = fopen(view(t), "re");
	bool found = false;

	snprintf(port, sizeof(port), ":%04X", addr_port(name));
	snprintf(peer, sizeof(peer), ":%04X", remote);
	while (f && !found && fgets(text, sizeof(text), f))
		found = parse_line(text, l) && strstr(l->local, port) &&
			strstr(l->remote, peer);
	if (f)
		fclose(f);
	return found;
}

static void note_line(struct run *t, const char *what, int fd, const struct addr *name,
		      unsigned int remote)
{
	char *colon;
	struct stat st = { };
	struct line l;

	if (fd >= 0)
		fstat(fd, &st);
	if (!find_line(t, name, remote, &l)) {
		note(t, "%s: no line", what);
		return;
	}
	colon = strchr(l.local, ':');
	note(t, "%s: %.*s state %02X tx %u rx %u uid %u inode %s", what,
	     colon ? (int)(colon - l.local) : 0, l.local, l.state, l.txq, l.rxq, l.uid,
	     l.inode == st.st_ino ? "right" : "wrong");
	/* Between two looks a timer may run out: only which kind, if any. */
	note(t, "%s: timer %s, width %zu, fields %d", what,
	     l.timer == 3 ? "TIME-WAIT" : l.timer == 2 ? "keepalive" : "other",
	     strlen(l.local), l.fields);
}

DIFF(header)
{
	char text[512] = "";
	FILE *f = fopen(view(t), "re");
	size_t len;

	TRUE(t, f && fgets(text, sizeof(text), f));
	note(t, "%zu characters", strlen(text));
	for (len = strlen(text); len && isspace(text[len - 1]); len--)
		text[len - 1] = '\0';
	note(t, "%s", text);
	fclose(f);
}

DIFF(states)
{
	struct addr a = { .len = 0 }, b;
	int l = listener(t, &a, 5), s, c;
	unsigned int port;
	struct line line = { };
	char x;

	note_line(t, "LISTEN", l, &a, 0);
	s = sock(t);
	OK(t, connect(s, &a.sa, a.len));
	await(l, POLLIN);
	note_line(t, "LISTEN, one waits", l, &a, 0);
	addr_name(t, s, &b);
	port = addr_port(&b);
	c = accept(l, NULL, NULL);
	note_line(t, "client", s, &b, addr_port(&a));
	note_line(t, "server", c, &a, port);
	IS(t, send(s, "12345", 5, 0), 5);
	await_bytes(c, 5);
	note_line(t, "server with data", c, &a, port);
	set_int(t, s, SOL_SOCKET, SO_KEEPALIVE, 1);
	IS(t, recv(c, &x, 1, 0), 1);
	note_line(t, "server with less", c, &a, port);
	OK(t, shutdown(s, SHUT_WR));
	await(c, POLLRDHUP);
	/* What can be read; /proc/net/tcp counts the FIN as a byte. */
	TRUE(t, find_line(t, &a, port, &line) && line.state == TCP_CLOSE_WAIT);
	TRUE(t, line.rxq == 4 || (!t->xtcp && line.rxq == 5));
	while (recv(c, &x, 1, 0) > 0)
		;
	OK(t, close(c));
	await(s, POLLHUP);
	OK(t, close(s));
	note_line(t, "TIME_WAIT", -1, &b, addr_port(&a));
	note_line(t, "gone", -1, &a, port);
}

/* The user who made the socket is the one shown. */
DIFF(owner)
{
	struct addr a = { .len = 0 };
	int l;

	OK(t, seteuid(1234));
	l = listener(t, &a, 1);
	note_line(t, "LISTEN", l, &a, 0);
	OK(t, seteuid(0));
	OK(t, fchown(l, 4321, 0));
	note_line(t, "given away", l, &a, 0);
}

/* Runs it with ss told to read our tables, or the kernel's, not to ask netlink. */
static void note_output(struct run *t, const char *command)
{
	const char *table = t->xtcp ? "xtcp" : "tcp";
	char text[512];
	FILE *f;

	snprintf(text, sizeof(text), "/proc/net/%s", table);
	setenv("PROC_NET_TCP", text, 1);
	snprintf(text, sizeof(text), "/proc/net/%s6", table);
	setenv("PROC_NET_TCP6", text, 1);
	f = popen(command, "re");

	while (f && fgets(text, sizeof(text), f)) {
		text[strcspn(text, "\n")] = '\0';
		note(t, "%s", text);
	}
	IS(t, f ? pclose(f) : -1, 0);
}

/* ss names the state, the queues and the process. */
DIFF(ss)
{
	struct addr a = { .len = 0 };
	int l = listener(t, &a, 5), s = sock(t), c;
	char command[512];

	OK(t, connect(s, &a.sa, a.len));
	c = accept(l, NULL, NULL);
	IS(t, send(s, "123", 3, 0), 3);
	await_bytes(c, 3);
	snprintf(command, sizeof(command),
		 "ss -H -tanp '( sport = :%u )' | %s", addr_port(&a),
		 "grep -o '^[A-Z-]* *[0-9]* *[0-9]*\\|\"api_views\"'");
	note_output(t, command);
}

/* The count of states that every tuning guide has (SEEDS 3-5). */
DIFF(count_states)
{
	struct addr a = { .len = 0 };
	int l = listener(t, &a, 20), i, s;
	struct tcp_info info;
	char command[512];
	socklen_t len;

	for (i = 0; i < 10; i++) {
		s = sock(t);
		OK(t, connect(s, &a.sa, a.len));
		TRUE(t, accept(l, NULL, NULL) >= 0);
		if (i >= 3)
			continue;
		OK(t, shutdown(s, SHUT_WR));
		/* until the FIN is acknowledged */
		do
			len = sizeof(info);
		while (!getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &len) &&
		       info.tcpi_state != TCP_FIN_WAIT2 && !poll(NULL, 0, 1));
	}
	/* What earlier scenarios left in TIME_WAIT has other ports. */
	snprintf(command, sizeof(command),
		 "ss -tan '( sport = :%u or dport = :%u )' | %s | sort", addr_port(&a),
		 addr_port(&a), "awk '!/^State/ {++S[$1]} END {for (a in S) print a, S[a]}'");
	note_output(t, command);
}

static int count_listeners(const char *text)
{
	struct line l;
	int n = 0;

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		n += parse_line(text, &l) && l.state == TCP_LISTEN;
	}
	return n;
}

/* Reading in odd pieces shows each socket once, as reading at once does. */
DIFF(pieces)
{
	static char whole[65536], part[65536];
	size_t n, len = 0, got = 0;
	struct addr a;
	int i, fd;

	for (i = 0; i < 30; i++) {
		a.len = 0;
		listener(t, &a, 1);
	}
	fd = open(view(t), O_RDONLY);
	while ((n = read(fd, whole + len, sizeof(whole) - 1 - len)) > 0)
		len += n;
	OK(t, lseek(fd, 0, SEEK_SET));
	while ((n = read(fd, part + got, 37)) > 0)
		got += n;
	IS(t, count_listeners(whole), 30);
	IS(t, count_listeners(part), 30);
	FAILS(t, write(fd, "x", 1), EBADF);
	FAILS(t, lseek(fd, -1, SEEK_SET), EINVAL);
	IS(t, lseek(fd, 1000000, SEEK_SET), 1000000);
	IS(t, read(fd, part, 37), 0);
}

DIFF_MAIN
