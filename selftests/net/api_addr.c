// SPDX-License-Identifier: GPL-2.0
/*
 * Addresses: every family and length, dual stack, scopes, devices, and who may
 * bind what beside whom.
 */
#include <kselftest_harness.h>
#include <net/if.h>

#include "diff.h"

DIFF_FIXTURE()

static void shell(struct run *t, const char *command)
{
	if (system(command)) {
		note(t, "cannot go on: %s", command);
		_exit(2);
	}
}

/* A veth with a link-local address, made once per netns; the other end drops. */
static unsigned int other_device(struct run *t)
{
	static const char * const commands[] = {
		"link add dev0 type veth peer name dev1",
		"link set dev1 up",
		"addr add 192.0.2.1/24 dev dev0",
		"addr add 2001:db8::1/64 dev dev0 nodad",
		"link set dev0 addrgenmode none up",
		"addr add fe80::1/64 dev dev0 nodad",
	};
	char line[128];
	size_t i;

	if (if_nametoindex("dev0"))
		return if_nametoindex("dev0");
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		snprintf(line, sizeof(line), "ip %s >&2", commands[i]);
		shell(t, line);
	}
	return if_nametoindex("dev0");
}

/* Families 0 to 50 in an otherwise good address. */
DIFF(families)
{
	struct addr good = { .len = 0 }, a;
	int l = listener(t, &good, 1), s, family;

	TRUE(t, l >= 0);
	for (family = 0; family <= 50; family++) {
		/* AF_XTCP in an address means the socket's own family there. */
		if (family == AF_XTCP)
			continue;
		note(t, "family %d", family);
		s = sock(t);
		addr_loop(t, &a, 0);
		a.sa.sa_family = family;
		CALL(t, bind(s, &a.sa, a.len));
		close(s);
		s = sock(t);
		addr_any(t, &a, 0);
		a.sa.sa_family = family;
		CALL(t, bind(s, &a.sa, a.len));
		close(s);
		s = sock(t);
		a = good;
		a.sa.sa_family = family;
		if (family != (t->v6 ? AF_INET6 : AF_INET))
			CALL(t, connect(s, &a.sa, a.len));
		close(s);
	}
}

DIFF(lengths)
{
	struct addr a;
	int len, s;

	for (len = -1; len <= 129; len++) {
		s = sock(t);
		addr_loop(t, &a, 0);
		note(t, "length %d", len);
		CALL(t, bind(s, &a.sa, len));
		close(s);
		s = sock(t);
		addr_loop(t, &a, 1);
		CALL(t, connect(s, &a.sa, len));
		close(s);
	}
	FAILS(t, bind(sock(t), &a.sa, 0x7fffffff), EINVAL);
	FAILS(t, bind(sock(t), &a.sa, -0x7fffffff), EINVAL);
}

/* The address family of the other protocol on this socket. */
DIFF(crossed)
{
	struct addr a;
	int s = sock(t);

	addr_text(&a, t->v6 ? "127.0.0.1" : "::1", 0);
	CALL(t, bind(s, &a.sa, a.len));
	addr_text(&a, t->v6 ? "127.0.0.1" : "::1", 1);
	CALL(t, connect(s, &a.sa, a.len));
	a.len = sizeof(a.ss);
	CALL(t, connect(s, &a.sa, a.len));
}

/* AF_XTCP as the family of an address: the socket's own. */
DIFF(own_family)
{
	struct addr a = { .len = 0 }, b;
	int l, s = sock(t);

	addr_loop(t, &a, 0);
	if (t->xtcp)
		a.sa.sa_family = AF_XTCP;
	l = sock(t);
	OK(t, bind(l, &a.sa, a.len));
	OK(t, listen(l, 1));
	addr_name(t, l, &a);
	note(t, "name %s", addr_show(&a));
	if (t->xtcp)
		a.sa.sa_family = AF_XTCP;
	OK(t, connect(s, &a.sa, a.len));
	b.len = sizeof(b.ss);
	OK(t, getpeername(s, &b.sa, &b.len));
	note(t, "peer %s", addr_show(&b));
}

/* A "::" listener takes IPv4 as v4-mapped unless told not to. */
DIFF(dual_stack)
{
	struct addr a, b;
	int l, s, c, only;

	if (!t->v6) {
		note(t, "IPv6 only");
		return;
	}
	for (only = 0; only < 2; only++) {
		l = sock(t);
		set_int(t, l, IPPROTO_IPV6, IPV6_V6ONLY, only);
		addr_text(&a, "::", 0);
		OK(t, bind(l, &a.sa, a.len));
		OK(t, listen(l, 4));
		FAILS(t, setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &only, 4), EINVAL);
		addr_name(t, l, &a);
		addr_text(&b, "127.0.0.1", addr_port(&a));
		s = sock_of(t, false, 0);
		if (only) {
			FAILS(t, connect(s, &b.sa, b.len), ECONNREFUSED);
		} else {
			OK(t, connect(s, &b.sa, b.len));
			b.len = sizeof(b.ss);
			c = accept(l, &b.sa, &b.len);
			note(t, "from %s", addr_show(&b));
			addr_name(t, c, &b);
			note(t, "to %s", addr_show(&b));
			IS(t, send(c, "x", 1, 0), 1);
			IS(t, recv(s, &b, 1, 0), 1);
		}
		addr_text(&b, "::1", addr_port(&a));
		OK(t, connect(sock(t), &b.sa, b.len));
		close(l);
	}
}

DIFF(v4_mapped)
{
	struct addr a = { .len = 0 }, b;
	int l, s, only = 1;

	if (!t->v6) {
		note(t, "IPv6 only");
		return;
	}
	addr_text(&a, "::ffff:127.0.0.1", 0);
	l = sock(t);
	OK(t, bind(l, &a.sa, a.len));
	OK(t, listen(l, 4));
	addr_name(t, l, &a);
	note(t, "bound %s", addr_show(&a));
	s = sock(t);
	OK(t, connect(s, &a.sa, a.len));
	addr_name(t, s, &b);
	note(t, "local %s", addr_show(&b));
	b.len = sizeof(b.ss);
	OK(t, getpeername(s, &b.sa, &b.len));
	note(t, "peer %s", addr_show(&b));
	IS(t, get_int(s, SOL_SOCKET, SO_DOMAIN), AF_INET6);
	CALL(t, get_int(s, IPPROTO_IPV6, IPV6_V6ONLY));
	CALL(t, get_int(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS));
	CALL(t, get_int(s, IPPROTO_IP, IP_TTL));
	/* v6-only sockets have no mapped addresses. */
	s = sock(t);
	OK(t, setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)));
	CALL(t, connect(s, &a.sa, a.len));
	addr_text(&b, "::ffff:127.0.0.1", 0);
	CALL(t, bind(s, &b.sa, b.len));
	/* An IPv6 name and a mapped peer do not go together. */
	s = sock(t);
	addr_text(&b, "::1", 0);
	OK(t, bind(s, &b.sa, b.len));
	CALL(t, connect(s, &a.sa, a.len));
	/* An IPv4 client reaches the mapped listener. */
	addr_text(&b, "127.0.0.1", addr_port(&a));
	OK(t, connect(sock_of(t, false, 0), &b.sa, b.len));
}

DIFF(scope)
{
	unsigned int dev = other_device(t);
	struct addr a, b;
	int l, s;

	if (!t->v6) {
		note(t, "IPv6 only");
		return;
	}
	addr_text(&a, "fe80::1", 0);
	FAILS(t, bind(sock(t), &a.sa, a.len), EINVAL);
	a.in6.sin6_scope_id = 9999;
	FAILS(t, bind(sock(t), &a.sa, a.len), ENODEV);
	a.in6.sin6_scope_id = 1;
	FAILS(t, bind(sock(t), &a.sa, a.len), EADDRNOTAVAIL);
	a.in6.sin6_scope_id = dev;
	l = sock(t);
	OK(t, bind(l, &a.sa, a.len));
	OK(t, listen(l, 1));
	addr_name(t, l, &a);
	TRUE(t, a.in6.sin6_scope_id == dev);
	s = sock(t);
	b = a;
	b.in6.sin6_scope_id = 0;
	FAILS(t, connect(s, &b.sa, b.len), EINVAL);
	OK(t, connect(s, &a.sa, a.len));
	b.len = sizeof(b.ss);
	OK(t, getpeername(s, &b.sa, &b.len));
	TRUE(t, b.in6.sin6_scope_id == dev);
	TRUE(t, get_int(s, SOL_SOCKET, SO_BINDTOIFINDEX) == (int)dev);
}

DIFF(bind_to_device)
{
	static const char * const names[] = { "lo", "dev0", "nosuch", "", "x/y",
					      "averyveryverylongname" };
	char name[IFNAMSIZ];
	unsigned int dev = other_device(t);
	struct addr a = { .len = 0 }, b;
	socklen_t len;
	int l, s = sock(t), i;

	for (i = 0; i < 6; i++) {
		note(t, "device '%s'", names[i]);
		CALL(t, setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, names[i], strlen(names[i])));
		len = sizeof(name);
		CALL(t, getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
		note(t, "is '%.*s' length %u", (int)len, name, len);
	}
	len = 3;
	CALL(t, getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
	FAILS(t, setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo", -1), EINVAL);
	/* A listener on another device does not hear loopback. */
	l = sock(t);
	OK(t, setsockopt(l, SOL_SOCKET, SO_BINDTODEVICE, "dev0", 4));
	addr_any(t, &a, 0);
	OK(t, bind(l, &a.sa, a.len));
	OK(t, listen(l, 1));
	addr_name(t, l, &a);
	addr_loop(t, &b, addr_port(&a));
	FAILS(t, connect(sock(t), &b.sa, b.len), ECONNREFUSED);
	/* The same port on another device is free; on all devices it is not. */
	s = sock(t);
	OK(t, setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2));
	OK(t, bind(s, &a.sa, a.len));
	OK(t, listen(s, 1));
	OK(t, connect(sock(t), &b.sa, b.len));
	FAILS(t, bind(sock(t), &a.sa, a.len), EADDRINUSE);
	TRUE(t, get_int(l, SOL_SOCKET, SO_BINDTOIFINDEX) == (int)dev);
	OK(t, seteuid(65534));
	FAILS(t, setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "dev0", 4), EPERM);
	CALL(t, setsockopt(sock(t), SOL_SOCKET, SO_BINDTODEVICE, "dev0", 4));
	OK(t, seteuid(0));
}

/* One of the sockets of the matrices below. */
struct holder {
	const char *addr;	/* NULL: loopback of the run's family */
	bool reuseaddr, reuseport, listens;
};

static int hold(struct run *t, int fd, const struct holder *h, unsigned int port)
{
	struct addr a;

	set_int(t, fd, SOL_SOCKET, SO_REUSEADDR, h->reuseaddr);
	set_int(t, fd, SOL_SOCKET, SO_REUSEPORT, h->reuseport);
	if (h->addr)
		addr_text(&a, h->addr, port);
	else
		addr_loop(t, &a, port);
	if (bind(fd, &a.sa, a.len))
		return errno;
	return h->listens && listen(fd, 1) ? errno : 0;
}

/* Every pair of (reuseaddr, reuseport, listening) on one address and port. */
DIFF(reuse_matrix)
{
	int first, second, one, two;
	unsigned int port;

	for (first = 0; first < 8; first++) {
		for (second = 0; second < 8; second++) {
			struct holder h1 = { NULL, first & 1, first & 2, first & 4 };
			struct holder h2 = { NULL, second & 1, second & 2, second & 4 };

			port = fixed_port(t);
			one = sock(t);
			two = sock(t);
			note(t, "%d%d%d then %d%d%d: %s %s",
			     h1.reuseaddr, h1.reuseport, h1.listens,
			     h2.reuseaddr, h2.reuseport, h2.listens,
			     errno_text(hold(t, one, &h1, port)),
			     errno_text(hold(t, two, &h2, port)));
			close(one);
			close(two);
		}
	}
}

/* Addresses that overlap and that do not, with and without reuse. */
DIFF(address_matrix)
{
	static const char * const v4[] = { "127.0.0.1", "127.0.0.2", "0.0.0.0" };
	static const char * const v6[] = { "::1", "::", "127.0.0.1", "0.0.0.0",
					   "::ffff:127.0.0.1" };
	const char * const *list = t->v6 ? v6 : v4;
	int n = t->v6 ? 5 : 3, i, j, reuse, one, two;
	unsigned int port;

	for (reuse = 0; reuse < 3; reuse++) {
		for (i = 0; i < n; i++) {
			for (j = 0; j < n; j++) {
				struct holder h1 = { list[i], reuse == 1, reuse == 2, true };
				struct holder h2 = { list[j], reuse == 1, reuse == 2, true };

				port = fixed_port(t);
				one = sock_of(t, strchr(list[i], ':'), 0);
				two = sock_of(t, strchr(list[j], ':'), 0);
				note(t, "%s then %s reuse %d: %s %s", list[i], list[j], reuse,
				     errno_text(hold(t, one, &h1, port)),
				     errno_text(hold(t, two, &h2, port)));
				close(one);
				close(two);
			}
		}
	}
}

static int stack_sock(struct run *t, bool tcp, const char *addr)
{
	bool v6 = strchr(addr, ':');

	return tcp ? tcp_sock(t, v6) : sock_of(t, v6, 0);
}

/* Kernel TCP against the stack under test: one owner per address and port. */
DIFF(two_stacks)
{
	static const char * const v4[] = { "127.0.0.1", "127.0.0.2", "0.0.0.0" };
	static const char * const v6[] = { "::1", "::", "127.0.0.1", "0.0.0.0" };
	const char * const *list = t->v6 ? v6 : v4;
	int n = t->v6 ? 4 : 3, i, j, turn, one, two, ret;
	unsigned int port;

	for (i = 0; i < n * n; i++) {
		for (turn = 0; turn < 4; turn++) {
			bool swap = turn & 1;
			struct holder h1 = { list[i / n], 0, 0, turn & 2 };
			struct holder h2 = { list[i % n], 0, 0, 1 };

			port = fixed_port(t);
			one = stack_sock(t, swap, h1.addr);
			two = stack_sock(t, !swap, h2.addr);
			note(t, "%s %s, then %s", swap ? "TCP" : "ours", h1.addr, h2.addr);
			OK(t, hold(t, one, &h1, port));
			ret = CALL(t, hold(t, two, &h2, port));
			close(one);
			close(two);
			if (!ret)
				continue;
			/* Given back at once. */
			two = stack_sock(t, !swap, h2.addr);
			OK(t, hold(t, two, &h2, port));
			close(two);
		}
	}
	/* SO_REUSEPORT does not reach across: one of them would starve. */
	for (j = 0; j < 2; j++) {
		struct holder h = { NULL, 0, 1, 1 };

		port = fixed_port(t);
		one = j ? tcp_sock(t, t->v6) : sock(t);
		two = j ? sock(t) : tcp_sock(t, t->v6);
		OK(t, hold(t, one, &h, port));
		ret = hold(t, two, &h, port);
		TRUE(t, ret == (t->xtcp ? EADDRINUSE : 0));
		close(one);
		close(two);
	}
}

/* SO_REUSEPORT is for sockets of one user. */
DIFF(reuseport_users)
{
	struct holder h = { NULL, 0, 1, 1 };
	unsigned int port = fixed_port(t);

	OK(t, seteuid(1000));
	OK(t, hold(t, sock(t), &h, port));
	OK(t, hold(t, sock(t), &h, port));
	OK(t, seteuid(0));
	OK(t, seteuid(1001));
	IS(t, hold(t, sock(t), &h, port), EADDRINUSE);
	OK(t, seteuid(0));
}

/* Restarting a server over what its connections left behind. */
DIFF(restart)
{
	struct addr a, b;
	int l, s, c, reuse;

	for (reuse = 0; reuse < 2; reuse++) {
		addr_loop(t, &a, fixed_port(t));
		l = sock(t);
		set_int(t, l, SOL_SOCKET, SO_REUSEADDR, reuse);
		OK(t, bind(l, &a.sa, a.len));
		OK(t, listen(l, 1));
		s = sock(t);
		OK(t, connect(s, &a.sa, a.len));
		c = accept(l, NULL, NULL);
		close(l);
		/* An established connection is left. */
		l = sock(t);
		set_int(t, l, SOL_SOCKET, SO_REUSEADDR, reuse);
		note(t, "over ESTABLISHED, reuse %d", reuse);
		IS(t, bind(l, &a.sa, a.len), reuse ? 0 : -1);
		CALL(t, listen(l, 1));
		close(l);
		/* The server closes first: TIME-WAIT is left. */
		close(c);
		await(s, POLLRDHUP);
		close(s);
		l = sock(t);
		set_int(t, l, SOL_SOCKET, SO_REUSEADDR, reuse);
		note(t, "over TIME-WAIT, reuse %d", reuse);
		IS(t, bind(l, &a.sa, a.len), reuse ? 0 : -1);
		if (reuse) {
			OK(t, listen(l, 1));
			OK(t, connect(sock(t), &a.sa, a.len));
			b.len = sizeof(b.ss);
			TRUE(t, accept(l, &b.sa, &b.len) >= 0);
		}
		close(l);
	}
}

/*
 * The same with the other stack as the new server: what one left behind does
 * not keep a SO_REUSEADDR server of the other from starting.
 */
DIFF(restart_as_tcp)
{
	struct addr a;
	int l, s, c, x, turn;
	char buf[1];

	for (turn = 0; turn < 6; turn++) {
		addr_loop(t, &a, fixed_port(t));
		/* TCP leaves, ours comes; ours leaves, TCP comes */
		l = turn & 1 ? tcp_sock(t, t->v6) : sock(t);
		set_int(t, l, SOL_SOCKET, SO_REUSEADDR, 1);
		OK(t, bind(l, &a.sa, a.len));
		OK(t, listen(l, 1));
		s = sock(t);
		OK(t, connect(s, &a.sa, a.len));
		c = accept(l, NULL, NULL);
		if (turn / 2 == 0)
			note(t, "over ESTABLISHED");
		if (turn / 2 == 1) {
			note(t, "over nothing, the client closed first");
			close(s);
			IS(t, recv(c, buf, 1, 0), 0);
			close(c);
		}
		if (turn / 2 == 2) {
			note(t, "over TIME-WAIT");
			close(c);
			IS(t, recv(s, buf, 1, 0), 0);
			close(s);
		}
		close(l);
		x = turn & 1 ? sock(t) : tcp_sock(t, t->v6);
		set_int(t, x, SOL_SOCKET, SO_REUSEADDR, 1);
		OK(t, bind(x, &a.sa, a.len));
		OK(t, listen(x, 1));
		OK(t, connect(tcp_sock(t, t->v6), &a.sa, a.len));
		TRUE(t, accept(x, NULL, NULL) >= 0);
		close(x);
	}
}

/* The same 4-tuple twice, and one local port to two destinations. */
DIFF(tuples)
{
	struct addr a = { .len = 0 }, b = { .len = 0 }, from;
	int l1 = listener(t, &a, 4), l2 = listener(t, &b, 4), s, i;

	TRUE(t, l1 >= 0 && l2 >= 0);
	addr_loop(t, &from, fixed_port(t));
	for (i = 0; i < 3; i++) {
		s = sock(t);
		set_int(t, s, SOL_SOCKET, SO_REUSEADDR, 1);
		OK(t, bind(s, &from.sa, from.len));
		if (i < 2)
			OK(t, connect(s, i ? &b.sa : &a.sa, a.len));
		else
			FAILS(t, connect(s, &a.sa, a.len), EADDRNOTAVAIL);
	}
}

/* Ephemeral ports run out per destination, with EADDRNOTAVAIL. */
DIFF(ports_run_out)
{
	const char *path = t->xtcp ? "/proc/sys/net/xtcp/ip_local_port_range" :
				     "/proc/sys/net/ipv4/ip_local_port_range";
	struct addr a = { .len = 0 }, b = { .len = 0 };
	int l1 = listener(t, &a, 16), l2 = listener(t, &b, 16), i;
	char cmd[128];

	TRUE(t, l1 >= 0 && l2 >= 0);
	snprintf(cmd, sizeof(cmd), "echo 20000 20007 > %s", path);
	shell(t, cmd);
	for (i = 0; i < 8; i++)
		OK(t, connect(sock(t), &a.sa, a.len));
	FAILS(t, connect(sock(t), &a.sa, a.len), EADDRNOTAVAIL);
	/* Another destination has the same ports again. */
	OK(t, connect(sock(t), &b.sa, b.len));
	snprintf(cmd, sizeof(cmd), "echo 32768 60999 > %s", path);
	shell(t, cmd);
}

DIFF(freebind)
{
	struct addr a;
	int s = sock(t);

	addr_text(&a, t->v6 ? "2001:db8:9::9" : "203.0.113.9", 0);
	FAILS(t, bind(s, &a.sa, a.len), EADDRNOTAVAIL);
	set_int(t, s, IPPROTO_IP, IP_FREEBIND, 1);
	OK(t, bind(s, &a.sa, a.len));
	OK(t, listen(s, 1));
}

DIFF(no_port)
{
	struct addr a = { .len = 0 }, b;
	int l = listener(t, &a, 1), s = sock(t);

	TRUE(t, l >= 0);
	set_int(t, s, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	addr_loop(t, &b, 0);
	OK(t, bind(s, &b.sa, b.len));
	addr_name(t, s, &b);
	note(t, "bound %s", addr_show(&b));
	OK(t, connect(s, &a.sa, a.len));
	addr_name(t, s, &b);
	note(t, "connected %s", addr_show(&b));
}

DIFF_MAIN
