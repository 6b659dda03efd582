// SPDX-License-Identifier: GPL-2.0
/* Sockets, addresses and waiting for the differential tests: see diff.h. */
#include "diff.h"

static void die(struct run *t, const char *what)
{
	note(t, "cannot go on: %s: %s", what, errno_text(errno));
	_exit(2);
}

int sock_of(struct run *t, bool v6, int flags)
{
	int fd;

	if (t->xtcp)
		fd = socket(AF_XTCP, SOCK_STREAM | flags,
			    v6 ? XTCP_PROTO_IPV6 : XTCP_PROTO_IPV4);
	else
		fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | flags, 0);
	if (fd < 0)
		die(t, "socket");
	return fd;
}

int sock_flags(struct run *t, int flags)
{
	return sock_of(t, t->v6, flags);
}

int sock(struct run *t)
{
	return sock_flags(t, 0);
}

int tcp_sock(struct run *t, bool v6)
{
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		die(t, "socket");
	return fd;
}

void addr_text(struct addr *a, const char *text, unsigned int port)
{
	memset(a, 0, sizeof(*a));
	if (strchr(text, ':')) {
		a->in6.sin6_family = AF_INET6;
		a->in6.sin6_port = htons(port);
		inet_pton(AF_INET6, text, &a->in6.sin6_addr);
		a->len = sizeof(a->in6);
	} else {
		a->in.sin_family = AF_INET;
		a->in.sin_port = htons(port);
		inet_pton(AF_INET, text, &a->in.sin_addr);
		a->len = sizeof(a->in);
	}
}

void addr_any(struct run *t, struct addr *a, unsigned int port)
{
	addr_text(a, t->v6 ? "::" : "0.0.0.0", port);
}

void addr_loop(struct run *t, struct addr *a, unsigned int port)
{
	addr_text(a, t->v6 ? "::1" : "127.0.0.1", port);
}

unsigned int addr_port(const struct addr *a)
{
	return ntohs(a->sa.sa_family == AF_INET6 ? a->in6.sin6_port : a->in.sin_port);
}

/* Address and family; the port is left out, it differs from run to run. */
const char *addr_show(const struct addr *a)
{
	static __thread char text[2][128];
	static __thread int turn;
	char host[INET6_ADDRSTRLEN] = "?";

	turn = !turn;
	if (a->sa.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof(host));
	else if (a->sa.sa_family == AF_INET)
		inet_ntop(AF_INET, &a->in.sin_addr, host, sizeof(host));
	snprintf(text[turn], sizeof(text[turn]), "family %d len %u %s port %s scope %u",
		 a->sa.sa_family, a->len, host, addr_port(a) ? "set" : "0",
		 a->sa.sa_family == AF_INET6 ? a->in6.sin6_scope_id : 0);
	return text[turn];
}

void addr_name(struct run *t, int fd, struct addr *a)
{
	memset(a, 0, sizeof(*a));
	a->len = sizeof(a->ss);
	if (getsockname(fd, &a->sa, &a->len))
		die(t, "getsockname");
}

/* A listener on a free loopback port, or on the address given in *a (len != 0). */
int listener(struct run *t, struct addr *a, int backlog)
{
	int fd = sock(t);

	if (!a->len)
		addr_loop(t, a, 0);
	if (bind(fd, &a->sa, a->len) || listen(fd, backlog))
		die(t, "bind or listen");
	addr_name(t, fd, a);
	return fd;
}

void pair(struct run *t, int fd[2])
{
	struct addr a = { .len = 0 };
	int l = listener(t, &a, 1);

	fd[0] = sock(t);
	if (connect(fd[0], &a.sa, a.len))
		die(t, "connect");
	fd[1] = accept(l, NULL, NULL);
	if (fd[1] < 0)
		die(t, "accept");
	close(l);
}

/*
 * For tests that need a port by number. The two sides draw from different
 * ranges, so that the TIME-WAIT of one does not meet the other.
 */
unsigned int fixed_port(struct run *t)
{
	struct addr a;
	int fd;

	for (;;) {
		t->port++;
		addr_any(t, &a, t->port);
		fd = sock(t);
		if (!bind(fd, &a.sa, a.len)) {
			close(fd);
			return t->port;
		}
		close(fd);
		if (t->port % 1000 == 999)
			die(t, "no free fixed port");
	}
}

void set_int(struct run *t, int fd, int level, int opt, int value)
{
	if (setsockopt(fd, level, opt, &value, sizeof(value))) {
		note(t, "level %d option %d value %d:", level, opt, value);
		die(t, "setsockopt");
	}
}

/* The value, or minus errno (no option used here is negative). */
int get_int(int fd, int level, int opt)
{
	int value = -1;
	socklen_t len = sizeof(value);

	if (getsockopt(fd, level, opt, &value, &len))
		return -errno;
	return value;
}

int await(int fd, int events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, 10000) > 0 ? p.revents : 0;
}

unsigned int mask(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLPRI | POLLOUT | POLLRDHUP |
			    POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND };

	return poll(&p, 1, 0) < 0 ? ~0u : (unsigned short)p.revents;
}

void note_mask(struct run *t, const char *text, int fd)
{
	note(t, "%s: %s", text, poll_text(mask(fd)));
}

/* poll() wakes for any bit asked, so ask only for what is still missing. */
void settle(struct run *t, const char *text, int fd, unsigned int want)
{
	double end = now_s() + 10;
	unsigned int missing;

	while ((missing = want & ~mask(fd)) && now_s() < end) {
		struct pollfd p = { .fd = fd, .events = missing };

		poll(&p, 1, 1000);
		if (!(p.revents & missing) && p.revents)
			poll(NULL, 0, 1);	/* only ERR or HUP so far */
	}
	note_mask(t, text, fd);
}

/* Until TCP_INFO says so: no event tells that the last ACK has come. */
void await_state(int fd, int state)
{
	double end = now_s() + 10;
	struct tcp_info info;
	socklen_t len = sizeof(info);

	while (!getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) && info.tcpi_state != state &&
	       now_s() < end)
		poll(NULL, 0, 1);
}

/* Until so many bytes can be read; SO_RCVLOWAT makes poll() tell. */
void await_bytes(int fd, int bytes)
{
	int old = get_int(fd, SOL_SOCKET, SO_RCVLOWAT);

	setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
	await(fd, POLLIN);
	setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &old, sizeof(old));
}

/*
 * The clock of the ticks, which timeouts of sockets count: a machine that was not
 * served for a while has both behind, so that no wait looks shorter than it was.
 */
double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Bytes that depend on the position, so that no shifted copy looks right. */
void fill(char *buf, size_t len, unsigned int seed)
{
	size_t i;

	for (i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		buf[i] = seed >> 24;
	}
}

/* FNV-1a, 64 bits. */
unsigned long long hash(const void *data, size_t len, unsigned long long h)
{
	const unsigned char *p = data;

	while (len--)
		h = (h ^ *p++) * 0x100000001b3ULL;
	return h;
}

/* @arg: a struct inflow; reads what it wants, or until the stream ends or breaks. */
void *inflow_read(void *arg)
{
	static __thread char buf[30011];
	struct inflow *s = arg;
	ssize_t n;

	s->hash = HASH_INIT;
	while (!s->want || s->done < s->want) {
		n = recv(s->fd, buf, s->want && s->want - s->done < sizeof(buf) ?
			 s->want - s->done : sizeof(buf), 0);
		if (n <= 0)
			break;
		s->hash = hash(buf, n, s->hash);
		s->done += n;
	}
	return NULL;
}
