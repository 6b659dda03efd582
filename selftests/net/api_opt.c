// SPDX-License-Identifier: GPL-2.0
/* Socket options: values, lengths, inheritance, privileges, garbage. */
#include <kselftest_harness.h>
#include <linux/filter.h>
#include <linux/in6.h>

#include "diff.h"

DIFF_FIXTURE()

struct option {
	int level, opt;
	const char *name;
};

#define O(level, opt) { level, opt, #opt }

/* Options whose value is an int; all must behave as on kernel TCP. */
static const struct option sol_socket[] = {
	O(SOL_SOCKET, SO_REUSEADDR), O(SOL_SOCKET, SO_REUSEPORT), O(SOL_SOCKET, SO_KEEPALIVE),
	O(SOL_SOCKET, SO_SNDBUF), O(SOL_SOCKET, SO_RCVBUF), O(SOL_SOCKET, SO_SNDBUFFORCE),
	O(SOL_SOCKET, SO_RCVBUFFORCE), O(SOL_SOCKET, SO_RCVLOWAT), O(SOL_SOCKET, SO_SNDLOWAT),
	O(SOL_SOCKET, SO_MARK), O(SOL_SOCKET, SO_PRIORITY), O(SOL_SOCKET, SO_ACCEPTCONN),
	O(SOL_SOCKET, SO_TYPE), O(SOL_SOCKET, SO_DOMAIN), O(SOL_SOCKET, SO_ERROR),
	O(SOL_SOCKET, SO_OOBINLINE), O(SOL_SOCKET, SO_DONTROUTE), O(SOL_SOCKET, SO_BROADCAST),
	O(SOL_SOCKET, SO_DEBUG), O(SOL_SOCKET, SO_TIMESTAMP), O(SOL_SOCKET, SO_TIMESTAMPNS),
	O(SOL_SOCKET, SO_PASSCRED), O(SOL_SOCKET, SO_RXQ_OVFL), O(SOL_SOCKET, SO_NOFCS),
	O(SOL_SOCKET, SO_LOCK_FILTER), O(SOL_SOCKET, SO_SELECT_ERR_QUEUE),
	O(SOL_SOCKET, SO_BUSY_POLL), O(SOL_SOCKET, SO_BUF_LOCK), O(SOL_SOCKET, SO_BINDTOIFINDEX),
};

static const struct option sol_tcp[] = {
	O(IPPROTO_TCP, TCP_NODELAY), O(IPPROTO_TCP, TCP_CORK), O(IPPROTO_TCP, TCP_MAXSEG),
	O(IPPROTO_TCP, TCP_KEEPIDLE), O(IPPROTO_TCP, TCP_KEEPINTVL), O(IPPROTO_TCP, TCP_KEEPCNT),
	O(IPPROTO_TCP, TCP_SYNCNT), O(IPPROTO_TCP, TCP_LINGER2), O(IPPROTO_TCP, TCP_DEFER_ACCEPT),
	O(IPPROTO_TCP, TCP_QUICKACK), O(IPPROTO_TCP, TCP_WINDOW_CLAMP),
	O(IPPROTO_TCP, TCP_USER_TIMEOUT), O(IPPROTO_TCP, TCP_NOTSENT_LOWAT),
	O(IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS), O(IPPROTO_TCP, TCP_THIN_DUPACK),
};

static const struct option sol_ip[] = {
	O(IPPROTO_IP, IP_TOS), O(IPPROTO_IP, IP_TTL), O(IPPROTO_IP, IP_MTU_DISCOVER),
	O(IPPROTO_IP, IP_RECVERR), O(IPPROTO_IP, IP_FREEBIND), O(IPPROTO_IP, IP_TRANSPARENT),
	O(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT), O(IPPROTO_IP, IP_MTU), O(IPPROTO_IP, IP_PKTINFO),
	O(IPPROTO_IP, IP_RECVTOS), O(IPPROTO_IP, IP_RECVTTL), O(IPPROTO_IP, IP_MINTTL),
	O(IPPROTO_IP, IP_MULTICAST_TTL), O(IPPROTO_IP, IP_NODEFRAG), O(IPPROTO_IP, IP_HDRINCL),
};

static const struct option sol_ipv6[] = {
	O(IPPROTO_IPV6, IPV6_V6ONLY), O(IPPROTO_IPV6, IPV6_TCLASS),
	O(IPPROTO_IPV6, IPV6_UNICAST_HOPS), O(IPPROTO_IPV6, IPV6_MTU_DISCOVER),
	O(IPPROTO_IPV6, IPV6_RECVERR), O(IPPROTO_IPV6, IPV6_RECVPKTINFO),
	O(IPPROTO_IPV6, IPV6_RECVTCLASS), O(IPPROTO_IPV6, IPV6_MTU), O(IPPROTO_IPV6, IPV6_DONTFRAG),
	O(IPPROTO_IPV6, IPV6_TRANSPARENT), O(IPPROTO_IPV6, IPV6_FREEBIND),
	O(IPPROTO_IPV6, IPV6_MULTICAST_HOPS), O(IPPROTO_IPV6, IPV6_MINHOPCOUNT),
	O(IPPROTO_IPV6, IPV6_AUTOFLOWLABEL), O(IPPROTO_IPV6, IPV6_RECVHOPLIMIT),
};

static const struct {
	const struct option *table;
	size_t n;
} tables[] = {
	{ sol_socket, ARRAY_SIZE(sol_socket) }, { sol_tcp, ARRAY_SIZE(sol_tcp) },
	{ sol_ip, ARRAY_SIZE(sol_ip) }, { sol_ipv6, ARRAY_SIZE(sol_ipv6) },
};

static void note_option(struct run *t, int fd, const struct option *o, const char *what)
{
	socklen_t len = sizeof(int);
	int value = -7;

	errno = 0;
	if (getsockopt(fd, o->level, o->opt, &value, &len))
		note(t, "  %s %s: %s", o->name, what, errno_text(errno));
	else
		note(t, "  %s %s: %d (%u bytes)", o->name, what, value, len);
}

static void try_values(struct run *t, int fd, const struct option *o)
{
	static const int values[] = { 0, 1, 2, 3, 5, 64, 100, 255, 256, 300, 1000, 1500, 4000,
				      32768, 70000, 2000000, 0x7fffffff, -1, -2, -0x7fffffff - 1 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		errno = 0;
		if (setsockopt(fd, o->level, o->opt, &values[i], sizeof(int)))
			note(t, "  %s := %d: %s", o->name, values[i], errno_text(errno));
		else
			note(t, "  %s := %d: ok", o->name, values[i]);
		note_option(t, fd, o, "is");
	}
}

static void values_of(struct run *t, const struct option *o, size_t n)
{
	size_t i;
	int fd;

	for (i = 0; i < n; i++) {
		fd = sock(t);
		note_option(t, fd, &o[i], "fresh");
		try_values(t, fd, &o[i]);
		close(fd);
	}
}

DIFF(values_socket)
{
	values_of(t, sol_socket, ARRAY_SIZE(sol_socket));
}

DIFF(values_tcp)
{
	values_of(t, sol_tcp, ARRAY_SIZE(sol_tcp));
}

DIFF(values_ip)
{
	values_of(t, sol_ip, ARRAY_SIZE(sol_ip));
}

DIFF(values_ipv6)
{
	values_of(t, sol_ipv6, ARRAY_SIZE(sol_ipv6));
}

/* Once connected: some options are frozen, some have other limits. */
DIFF(values_connected)
{
	size_t i, k;
	int fd[2];

	for (k = 1; k < ARRAY_SIZE(tables); k++) {
		for (i = 0; i < tables[k].n; i++) {
			/* Loopback's MSS fills the first window; Linux halves it then. */
			if (tables[k].table == sol_tcp && sol_tcp[i].opt == TCP_MAXSEG)
				continue;
			pair(t, fd);
			note_option(t, fd[0], &tables[k].table[i], "connected");
			note_option(t, fd[1], &tables[k].table[i], "accepted");
			try_values(t, fd[0], &tables[k].table[i]);
			close(fd[0]);
			close(fd[1]);
		}
	}
}

DIFF(values_listening)
{
	struct addr a;
	size_t i;
	int l;

	for (i = 0; i < ARRAY_SIZE(sol_tcp); i++) {
		a.len = 0;
		l = listener(t, &a, 1);
		note_option(t, l, &sol_tcp[i], "listening");
		try_values(t, l, &sol_tcp[i]);
		close(l);
	}
}

/* Short and long buffers, both ways. */
DIFF(lengths)
{
	static const int lens[] = { 0, 1, 2, 3, 4, 5, 8, 64, 4096, -1, -0x7fffffff };
	unsigned char buf[4096];
	size_t i, k, n;
	socklen_t len;
	int fd;

	for (k = 0; k < ARRAY_SIZE(tables); k++) {
		for (i = 0; i < tables[k].n; i++) {
			const struct option *o = &tables[k].table[i];

			fd = sock(t);
			note(t, "%s", o->name);
			for (n = 0; n < ARRAY_SIZE(lens); n++) {
				memset(buf, 0, sizeof(buf));
				buf[0] = 1;
				errno = 0;
				note(t, "  set length %d: %d %s", lens[n],
				     setsockopt(fd, o->level, o->opt, buf, lens[n]),
				     errno_text(errno));
				memset(buf, 0x5a, sizeof(buf));
				len = lens[n];
				errno = 0;
				note(t, "  get length %d: %d %s", lens[n],
				     getsockopt(fd, o->level, o->opt, buf, &len),
				     errno_text(errno));
				note(t, "  length %d bytes %02x %02x", (int)len,
				     lens[n] > 0 ? buf[0] : 0, lens[n] > 4 ? buf[4] : 0);
			}
			close(fd);
		}
	}
}

DIFF(bad_pointers)
{
	socklen_t len = 4;
	int s = sock(t), v = 1;
	size_t i, k;

	for (k = 0; k < ARRAY_SIZE(tables); k++) {
		for (i = 0; i < tables[k].n; i += 3) {
			const struct option *o = &tables[k].table[i];

			note(t, "%s", o->name);
			CALL(t, setsockopt(s, o->level, o->opt, (void *)8, 4));
			CALL(t, setsockopt(s, o->level, o->opt, NULL, 4));
			len = 4;
			CALL(t, getsockopt(s, o->level, o->opt, (void *)8, &len));
			CALL(t, getsockopt(s, o->level, o->opt, &v, NULL));
		}
	}
	FAILS(t, setsockopt(-1, SOL_SOCKET, SO_REUSEADDR, &v, 4), EBADF);
	FAILS(t, setsockopt(0x7fffffff, SOL_SOCKET, SO_REUSEADDR, &v, 4), EBADF);
}

/* Levels and numbers that nobody knows. */
DIFF(unknown)
{
	static const int levels[] = { -1, 2, 3, 17, 58, 132, 136, 255, 263, 270, 281, 284, 999 };
	static const int opts[] = { -1, 0, 200, 1000, 0x7fffffff };
	int s = sock(t), v = 1;
	socklen_t len = 4;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(levels); i++) {
		note(t, "level %d", levels[i]);
		CALL(t, setsockopt(s, levels[i], 1, &v, 4));
		CALL(t, getsockopt(s, levels[i], 1, &v, &len));
	}
	for (i = 0; i < ARRAY_SIZE(opts); i++) {
		note(t, "option %d", opts[i]);
		CALL(t, setsockopt(s, SOL_SOCKET, opts[i], &v, 4));
		CALL(t, getsockopt(s, SOL_SOCKET, opts[i], &v, &len));
		CALL(t, setsockopt(s, IPPROTO_TCP, opts[i], &v, 4));
		CALL(t, getsockopt(s, IPPROTO_TCP, opts[i], &v, &len));
		CALL(t, setsockopt(s, IPPROTO_IPV6, opts[i], &v, 4));
		CALL(t, getsockopt(s, IPPROTO_IPV6, opts[i], &v, &len));
		if (!opts[i])
			continue;
		CALL(t, setsockopt(s, IPPROTO_IP, opts[i], &v, 4));
		CALL(t, getsockopt(s, IPPROTO_IP, opts[i], &v, &len));
	}
}

/* What AF_XTCP says no to, cleanly; kernel TCP's answer is not compared. */
DIFF(refused)
{
	static const struct option refused[] = {
		O(IPPROTO_TCP, TCP_FASTOPEN), O(IPPROTO_TCP, TCP_FASTOPEN_CONNECT),
		O(IPPROTO_TCP, TCP_FASTOPEN_KEY), O(IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE),
		O(IPPROTO_TCP, TCP_ULP), O(IPPROTO_TCP, TCP_MD5SIG),
		O(IPPROTO_TCP, TCP_REPAIR), O(IPPROTO_TCP, TCP_SAVE_SYN),
		O(IPPROTO_TCP, TCP_TX_DELAY), O(IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE),
	};
	char value[32] = "tls";
	int s = sock(t), ret;
	socklen_t len;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		note(t, "%s", refused[i].name);
		len = sizeof(value);
		errno = 0;
		ret = setsockopt(s, refused[i].level, refused[i].opt, value, len);
		TRUE(t, !t->xtcp || (ret == -1 && errno == ENOPROTOOPT));
		errno = 0;
		ret = getsockopt(s, refused[i].level, refused[i].opt, value, &len);
		TRUE(t, !t->xtcp || (ret == -1 && errno == ENOPROTOOPT));
	}
}

DIFF(protocol)
{
	/* The private number, never IPPROTO_TCP: the kernel would cast the sock. */
	int s = sock(t), want = t->xtcp ? IPPROTO_XTCP : IPPROTO_TCP;

	TRUE(t, get_int(s, SOL_SOCKET, SO_PROTOCOL) == want);
	IS(t, get_int(s, SOL_SOCKET, SO_DOMAIN), t->v6 ? AF_INET6 : AF_INET);
	IS(t, get_int(s, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
}

/* Set on a listener, found on what it accepts. */
DIFF(inherited)
{
	static const struct { struct option o; int value; } set[] = {
		{ O(SOL_SOCKET, SO_REUSEADDR), 1 }, { O(SOL_SOCKET, SO_KEEPALIVE), 1 },
		{ O(SOL_SOCKET, SO_SNDBUF), 50000 }, { O(SOL_SOCKET, SO_RCVBUF), 60000 },
		{ O(SOL_SOCKET, SO_RCVLOWAT), 5 }, { O(SOL_SOCKET, SO_MARK), 77 },
		{ O(SOL_SOCKET, SO_PRIORITY), 3 }, { O(SOL_SOCKET, SO_OOBINLINE), 1 },
		{ O(SOL_SOCKET, SO_DONTROUTE), 1 }, { O(SOL_SOCKET, SO_TIMESTAMP), 1 },
		{ O(SOL_SOCKET, SO_RXQ_OVFL), 1 }, { O(SOL_SOCKET, SO_BUF_LOCK), 3 },
		{ O(IPPROTO_TCP, TCP_NODELAY), 1 }, { O(IPPROTO_TCP, TCP_CORK), 1 },
		{ O(IPPROTO_TCP, TCP_MAXSEG), 800 }, { O(IPPROTO_TCP, TCP_KEEPIDLE), 11 },
		{ O(IPPROTO_TCP, TCP_KEEPINTVL), 12 }, { O(IPPROTO_TCP, TCP_KEEPCNT), 13 },
		{ O(IPPROTO_TCP, TCP_SYNCNT), 3 }, { O(IPPROTO_TCP, TCP_LINGER2), 14 },
		{ O(IPPROTO_TCP, TCP_WINDOW_CLAMP), 30000 },
		{ O(IPPROTO_TCP, TCP_USER_TIMEOUT), 15000 },
		{ O(IPPROTO_TCP, TCP_NOTSENT_LOWAT), 16000 }, { O(IPPROTO_TCP, TCP_QUICKACK), 0 },
		{ O(IPPROTO_IP, IP_TOS), 0x10 }, { O(IPPROTO_IP, IP_TTL), 33 },
		{ O(IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_WANT },
		{ O(IPPROTO_IP, IP_RECVERR), 1 }, { O(IPPROTO_IP, IP_FREEBIND), 1 },
		{ O(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT), 1 },
		{ O(IPPROTO_IPV6, IPV6_TCLASS), 0x20 },
		{ O(IPPROTO_IPV6, IPV6_UNICAST_HOPS), 34 },
		{ O(IPPROTO_IPV6, IPV6_RECVERR), 1 },
	};
	struct linger linger = { 1, 9 };
	struct timeval tv = { .tv_sec = 8 };
	struct addr a = { .len = 0 };
	socklen_t len = sizeof(tv);
	int l = listener(t, &a, 1), s = sock(t), c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(set); i++)
		setsockopt(l, set[i].o.level, set[i].o.opt, &set[i].value, sizeof(int));
	OK(t, setsockopt(l, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	OK(t, setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	OK(t, connect(s, &a.sa, a.len));
	c = accept(l, NULL, NULL);
	for (i = 0; i < ARRAY_SIZE(set); i++) {
		note_option(t, l, &set[i].o, "listener");
		note_option(t, c, &set[i].o, "accepted");
	}
	OK(t, getsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &tv, &len));
	note(t, "timeout %ld", tv.tv_sec);
	len = sizeof(linger);
	OK(t, getsockopt(c, SOL_SOCKET, SO_LINGER, &linger, &len));
	note(t, "linger %d %d", linger.l_onoff, linger.l_linger);
}

DIFF(privileged)
{
	static const struct { struct option o; int value; } need[] = {
		{ O(SOL_SOCKET, SO_MARK), 1 }, { O(SOL_SOCKET, SO_PRIORITY), 7 },
		{ O(SOL_SOCKET, SO_PRIORITY), 6 }, { O(SOL_SOCKET, SO_SNDBUFFORCE), 1 << 20 },
		{ O(SOL_SOCKET, SO_RCVBUFFORCE), 1 << 20 }, { O(SOL_SOCKET, SO_DEBUG), 1 },
		{ O(IPPROTO_IP, IP_TRANSPARENT), 1 }, { O(IPPROTO_IP, IP_FREEBIND), 1 },
		{ O(IPPROTO_IPV6, IPV6_TRANSPARENT), 1 },
	};
	int s = sock(t);
	size_t i;

	OK(t, seteuid(65534));
	for (i = 0; i < ARRAY_SIZE(need); i++) {
		note(t, "%s", need[i].o.name);
		CALL(t, setsockopt(s, need[i].o.level, need[i].o.opt, &need[i].value, 4));
	}
	/* Congestion control outside the allowed list needs privilege, too. */
	CALL(t, setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "nosuch", 6));
	OK(t, seteuid(0));
}

DIFF(congestion)
{
	static const int lens[] = { 0, 1, 3, 4, 5, 15, 16, 17, 64 };
	char name[64] = "";
	socklen_t len;
	int s = sock(t);
	size_t i;

	len = sizeof(name);
	OK(t, getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &len));
	note(t, "at first %s", name);
	OK(t, setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5));
	OK(t, setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		memset(name, 'Z', sizeof(name));
		len = lens[i];
		CALL(t, getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &len));
		note(t, "length %d -> %d: %.*s", lens[i], len, lens[i] < 4 ? lens[i] : 4, name);
	}
	FAILS(t, setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "nosuch", 6), ENOENT);
	FAILS(t, setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "", 0), EINVAL);
	memset(name, 'Z', sizeof(name));
	FAILS(t, setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, sizeof(name)), ENOENT);
	FAILS(t, setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, (void *)8, 4), EFAULT);
	len = 16;
	OK(t, getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &len));
	note(t, "still %s", name);
}

/* A socket filter sees every segment: drop all, and connect() gets no answer. */
DIFF(filter)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog drop = { 1, code }, bad = { 0, code };
	struct timeval tv = { .tv_usec = 200000 };
	struct addr a = { .len = 0 };
	int l = listener(t, &a, 1), s = sock(t), v = 0;

	OK(t, setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	FAILS(t, setsockopt(l, SOL_SOCKET, SO_ATTACH_FILTER, &bad, sizeof(bad)), EINVAL);
	FAILS(t, setsockopt(l, SOL_SOCKET, SO_DETACH_FILTER, &v, sizeof(v)), ENOENT);
	OK(t, setsockopt(l, SOL_SOCKET, SO_ATTACH_FILTER, &drop, sizeof(drop)));
	FAILS(t, connect(s, &a.sa, a.len), EINPROGRESS);
	OK(t, setsockopt(l, SOL_SOCKET, SO_DETACH_FILTER, &v, sizeof(v)));
	/* The SYN is retransmitted and let in. */
	settle(t, "connected", s, POLLOUT);
	TRUE(t, accept(l, NULL, NULL) >= 0);
}

/* Every number of every level with garbage: nothing may break. */
DIFF(garbage)
{
	static const int levels[] = { SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP };
	static const int lens[] = { 0, 1, 4, 8, 16, 40, 256, 1024 };
	struct linger now = { .l_onoff = 1 };
	unsigned char buf[1024];
	unsigned int seed = 1;
	size_t i, n;
	int fd[2], opt;
	socklen_t len;
	char c = 0;

	for (i = 0; i < ARRAY_SIZE(levels); i++) {
		pair(t, fd);
		for (opt = 0; opt < 130; opt++) {
			/* Detached or repaired sockets would not talk afterwards. */
			if (levels[i] == IPPROTO_TCP && opt >= 19 && opt <= 22)
				continue;
			for (n = 0; n < ARRAY_SIZE(lens); n++) {
				fill((char *)buf, sizeof(buf), seed++);
				setsockopt(fd[0], levels[i], opt, buf, lens[n]);
				len = lens[n];
				getsockopt(fd[0], levels[i], opt, buf, &len);
			}
		}
		note(t, "level %d survived", levels[i]);
		OK(t, setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
		OK(t, close(fd[0]));
		OK(t, close(fd[1]));
		/* Others are not affected. */
		pair(t, fd);
		IS(t, send(fd[0], "x", 1, 0), 1);
		IS(t, recv(fd[1], &c, 1, 0), 1);
		close(fd[0]);
		close(fd[1]);
	}
}

DIFF_MAIN
