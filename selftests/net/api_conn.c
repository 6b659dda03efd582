// SPDX-License-Identifier: GPL-2.0
/* bind, listen, connect, accept, names: the life of a connection as calls. */
#include <kselftest_harness.h>
#include <sys/time.h>

#include "diff.h"

DIFF_FIXTURE()

DIFF(fresh)
{
	int s = sock(t), how;
	char c = 'x';
	struct addr a;

	addr_name(t, s, &a);
	note(t, "name %s", addr_show(&a));
	a.len = sizeof(a.ss);
	FAILS(t, getpeername(s, &a.sa, &a.len), ENOTCONN);
	FAILS(t, recv(s, &c, 1, 0), ENOTCONN);
	note_mask(t, "mask", s);
	/* Refused, yet it leaves its mark: reads then say EOF. */
	for (how = 0; how < 3; how++)
		FAILS(t, shutdown(s, how), ENOTCONN);
	FAILS(t, shutdown(s, 3), EINVAL);
	FAILS(t, shutdown(s, -1), EINVAL);
	IS(t, recv(s, &c, 1, 0), 0);
	FAILS(t, recv(s, &c, 1, MSG_OOB), EINVAL);
	FAILS(t, recv(s, &c, 1, MSG_ERRQUEUE), EAGAIN);
	FAILS(t, send(s, &c, 1, MSG_NOSIGNAL), EPIPE);
	FAILS(t, send(s, &c, 1, MSG_NOSIGNAL | MSG_DONTWAIT), EPIPE);
	CALL(t, send(s, &c, 0, MSG_NOSIGNAL));
	CALL(t, recv(s, &c, 0, MSG_DONTWAIT));
	FAILS(t, accept(s, NULL, NULL), EINVAL);
	IS(t, get_int(s, SOL_SOCKET, SO_ERROR), 0);
	IS(t, get_int(s, SOL_SOCKET, SO_ACCEPTCONN), 0);
	note_mask(t, "mask", s);
	OK(t, close(s));
}

DIFF(flags)
{
	int s = sock_flags(t, SOCK_NONBLOCK | SOCK_CLOEXEC);

	TRUE(t, fcntl(s, F_GETFL) & O_NONBLOCK);
	TRUE(t, fcntl(s, F_GETFD) & FD_CLOEXEC);
	s = sock(t);
	IS(t, fcntl(s, F_GETFL) & O_NONBLOCK, 0);
	IS(t, fcntl(s, F_GETFD), 0);
	FAILS(t, lseek(s, 0, SEEK_SET), ESPIPE);
	FAILS(t, ftruncate(s, 0), EINVAL);
	CALL(t, fsync(s));
}

DIFF(bind_twice)
{
	struct addr a;
	int s = sock(t);

	addr_loop(t, &a, 0);
	OK(t, bind(s, &a.sa, a.len));
	addr_name(t, s, &a);
	note(t, "name %s", addr_show(&a));
	FAILS(t, bind(s, &a.sa, a.len), EINVAL);
	addr_loop(t, &a, 0);
	FAILS(t, bind(s, &a.sa, a.len), EINVAL);
	CALL(t, listen(s, 1));
	FAILS(t, bind(s, &a.sa, a.len), EINVAL);
}

DIFF(bind_errors)
{
	struct addr a;
	int s = sock(t);

	addr_text(&a, t->v6 ? "2001:db8::1" : "192.0.2.1", 0);
	FAILS(t, bind(s, &a.sa, a.len), EADDRNOTAVAIL);
	addr_text(&a, t->v6 ? "ff02::1" : "224.0.0.1", 0);
	CALL(t, bind(sock(t), &a.sa, a.len));
	addr_text(&a, t->v6 ? "fe80::1" : "255.255.255.255", 0);
	CALL(t, bind(sock(t), &a.sa, a.len));
	addr_loop(t, &a, 0);
	FAILS(t, bind(s, NULL, a.len), EFAULT);
	FAILS(t, bind(s, (struct sockaddr *)8, a.len), EFAULT);
	FAILS(t, bind(-1, &a.sa, a.len), EBADF);
	FAILS(t, bind(0x7fffffff, &a.sa, a.len), EBADF);
	CALL(t, bind(s, &a.sa, a.len));
}

DIFF(bind_privileged)
{
	struct addr a;
	int s = sock(t);

	addr_loop(t, &a, 80);
	OK(t, seteuid(65534));
	FAILS(t, bind(s, &a.sa, a.len), EACCES);
	addr_loop(t, &a, 1023);
	FAILS(t, bind(s, &a.sa, a.len), EACCES);
	addr_loop(t, &a, 0);
	OK(t, bind(s, &a.sa, a.len));
	OK(t, seteuid(0));
	addr_loop(t, &a, 80);
	OK(t, bind(sock(t), &a.sa, a.len));
}

DIFF(connect_twice)
{
	struct addr a = { .len = 0 }, peer;
	int l = listener(t, &a, 4), s = sock(t), c;

	OK(t, connect(s, &a.sa, a.len));
	FAILS(t, connect(s, &a.sa, a.len), EISCONN);
	FAILS(t, listen(s, 1), EINVAL);
	FAILS(t, accept(s, NULL, NULL), EINVAL);
	addr_name(t, s, &peer);
	note(t, "local %s", addr_show(&peer));
	peer.len = sizeof(peer.ss);
	OK(t, getpeername(s, &peer.sa, &peer.len));
	note(t, "peer %s", addr_show(&peer));
	TRUE(t, addr_port(&peer) == addr_port(&a));
	c = accept(l, NULL, NULL);
	FAILS(t, connect(c, &a.sa, a.len), EISCONN);
	FAILS(t, bind(c, &a.sa, a.len), EINVAL);
	FAILS(t, listen(c, 1), EINVAL);
	FAILS(t, connect(l, &a.sa, a.len), EISCONN);
}

DIFF(connect_refused)
{
	struct addr a = { .len = 0 };
	int s = sock(t), l = listener(t, &a, 1);

	close(l);
	FAILS(t, connect(s, &a.sa, a.len), ECONNREFUSED);
	IS(t, get_int(s, SOL_SOCKET, SO_ERROR), 0);
	note_mask(t, "after refusal", s);
	FAILS(t, connect(s, &a.sa, a.len), ECONNREFUSED);
	FAILS(t, send(s, "x", 1, MSG_NOSIGNAL), EPIPE);
	CALL(t, recv(s, &a, 1, MSG_DONTWAIT));
	a.len = 0;
	l = listener(t, &a, 1);
	CALL(t, connect(s, &a.sa, a.len));
	note_mask(t, "connected after refusal", s);
}

DIFF(connect_refused_nonblock)
{
	struct addr a = { .len = 0 };
	int s = sock_flags(t, SOCK_NONBLOCK), l = listener(t, &a, 1);

	close(l);
	FAILS(t, connect(s, &a.sa, a.len), EINPROGRESS);
	settle(t, "refused", s, POLLERR | POLLHUP);
	IS(t, get_int(s, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	IS(t, get_int(s, SOL_SOCKET, SO_ERROR), 0);
	note_mask(t, "error fetched", s);
	CALL(t, connect(s, &a.sa, a.len));
	settle(t, "again", s, POLLHUP);
	CALL(t, connect(s, &a.sa, a.len));
	CALL(t, recv(s, &a, 1, MSG_DONTWAIT));
	CALL(t, get_int(s, SOL_SOCKET, SO_ERROR));
}

DIFF(connect_nonblock)
{
	struct addr a = { .len = 0 };
	int l = listener(t, &a, 1), s = sock_flags(t, SOCK_NONBLOCK);

	FAILS(t, connect(s, &a.sa, a.len), EINPROGRESS);
	settle(t, "connected", s, POLLOUT);
	IS(t, get_int(s, SOL_SOCKET, SO_ERROR), 0);
	OK(t, connect(s, &a.sa, a.len));
	FAILS(t, connect(s, &a.sa, a.len), EISCONN);
	TRUE(t, accept(l, NULL, NULL) >= 0);
}

/* One connection fills a queue of backlog 0, so the next SYN gets no answer. */
static int full_listener(struct run *t, struct addr *a)
{
	int l, s = sock(t);

	a->len = 0;
	l = listener(t, a, 0);
	OK(t, connect(s, &a->sa, a->len));
	await(l, POLLIN);
	return l;
}

DIFF(connect_pending)
{
	struct addr a, b;
	int l = full_listener(t, &a), s = sock_flags(t, SOCK_NONBLOCK);

	TRUE(t, l >= 0);
	FAILS(t, connect(s, &a.sa, a.len), EINPROGRESS);
	FAILS(t, connect(s, &a.sa, a.len), EALREADY);
	note_mask(t, "SYN_SENT", s);
	IS(t, get_int(s, SOL_SOCKET, SO_ERROR), 0);
	FAILS(t, send(s, "x", 1, MSG_NOSIGNAL), EAGAIN);
	FAILS(t, recv(s, &b, 1, 0), EAGAIN);
	FAILS(t, listen(s, 1), EINVAL);
	FAILS(t, bind(s, &a.sa, a.len), EINVAL);
	FAILS(t, accept(s, NULL, NULL), EINVAL);
	b.len = sizeof(b.ss);
	FAILS(t, getpeername(s, &b.sa, &b.len), ENOTCONN);
	addr_name(t, s, &b);
	note(t, "local %s", addr_show(&b));
	CALL(t, shutdown(s, SHUT_WR));
	note_mask(t, "after shutdown", s);
	CALL(t, connect(s, &a.sa, a.len));
	OK(t, close(s));
}

DIFF(connect_send_timeout)
{
	struct timeval tv = { .tv_usec = 200000 };
	struct addr a;
	int l = full_listener(t, &a), s = sock(t);
	double start = now_s();

	TRUE(t, l >= 0);
	OK(t, setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	FAILS(t, connect(s, &a.sa, a.len), EINPROGRESS);
	TRUE(t, now_s() - start >= 0.15);
	FAILS(t, connect(s, &a.sa, a.len), EALREADY);
	note_mask(t, "still SYN_SENT", s);
}

DIFF(connect_user_timeout)
{
	struct addr a;
	int l = full_listener(t, &a), s = sock(t);

	TRUE(t, l >= 0);
	set_int(t, s, IPPROTO_TCP, TCP_USER_TIMEOUT, 500);
	FAILS(t, connect(s, &a.sa, a.len), ETIMEDOUT);
	note_mask(t, "timed out", s);
	CALL(t, get_int(s, SOL_SOCKET, SO_ERROR));
}

static void on_alarm(int sig)
{
	(void)sig;
}

DIFF(connect_interrupted)
{
	struct itimerval soon = { .it_value.tv_usec = 100000 };
	struct sigaction sa = { .sa_handler = on_alarm };
	struct addr a;
	int l = full_listener(t, &a), s = sock(t);

	TRUE(t, l >= 0);
	/* The run's own alarm() is given up here; the harness still has one. */
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	FAILS(t, connect(s, &a.sa, a.len), EINTR);
	OK(t, fcntl(s, F_SETFL, O_NONBLOCK));
	FAILS(t, connect(s, &a.sa, a.len), EALREADY);
	/* Room in the queue: the retransmitted SYN gets through. */
	TRUE(t, accept(l, NULL, NULL) >= 0);
	settle(t, "connected", s, POLLOUT);
	OK(t, connect(s, &a.sa, a.len));
}

DIFF(connect_unreachable)
{
	struct addr a;
	int s = sock(t);

	/* Only loopback is up in this netns: there is no route. */
	addr_text(&a, t->v6 ? "2001:db8::1" : "192.0.2.1", 80);
	FAILS(t, connect(s, &a.sa, a.len), ENETUNREACH);
	note_mask(t, "unreachable", s);
	addr_text(&a, t->v6 ? "ff0e::1" : "224.0.0.1", 80);
	CALL(t, connect(s, &a.sa, a.len));
	addr_text(&a, t->v6 ? "fe80::1" : "255.255.255.255", 80);
	CALL(t, connect(s, &a.sa, a.len));
	addr_loop(t, &a, 0);
	CALL(t, connect(s, &a.sa, a.len));
	addr_loop(t, &a, 1);
	FAILS(t, connect(s, NULL, a.len), EFAULT);
	FAILS(t, connect(s, &a.sa, a.len), ECONNREFUSED);
	FAILS(t, connect(-1, &a.sa, a.len), EBADF);
}

DIFF(connect_any)
{
	struct addr a = { .len = 0 }, b;
	int l = listener(t, &a, 1), s = sock(t);

	/* The unspecified address means this host. */
	addr_any(t, &b, addr_port(&a));
	OK(t, connect(s, &b.sa, b.len));
	b.len = sizeof(b.ss);
	OK(t, getpeername(s, &b.sa, &b.len));
	note(t, "peer %s", addr_show(&b));
	TRUE(t, accept(l, NULL, NULL) >= 0);
}

DIFF(disconnect)
{
	struct sockaddr unspec = { .sa_family = AF_UNSPEC };
	struct addr a = { .len = 0 }, b;
	int l = listener(t, &a, 4), s = sock(t), c;
	char x;

	OK(t, connect(s, &unspec, sizeof(unspec)));
	OK(t, connect(s, &a.sa, a.len));
	c = accept(l, NULL, NULL);
	OK(t, connect(s, &unspec, sizeof(unspec)));
	note_mask(t, "disconnected", s);
	settle(t, "peer", c, POLLHUP);
	FAILS(t, recv(c, &x, 1, 0), ECONNRESET);
	b.len = sizeof(b.ss);
	FAILS(t, getpeername(s, &b.sa, &b.len), ENOTCONN);
	addr_name(t, s, &b);
	note(t, "name %s", addr_show(&b));
	CALL(t, recv(s, &x, 1, MSG_DONTWAIT));
	OK(t, connect(s, &a.sa, a.len));
	c = accept(l, NULL, NULL);
	IS(t, send(s, "y", 1, 0), 1);
	IS(t, recv(c, &x, 1, 0), 1);
	/* A listener can be disconnected, too, and then connect. */
	OK(t, connect(l, &unspec, sizeof(unspec)));
	FAILS(t, accept(l, NULL, NULL), EINVAL);
	IS(t, get_int(l, SOL_SOCKET, SO_ACCEPTCONN), 0);
	FAILS(t, connect(sock(t), &a.sa, a.len), ECONNREFUSED);
}

DIFF(self_connect)
{
	struct addr a;
	int s = sock(t);
	char buf[8] = "";

	addr_loop(t, &a, fixed_port(t));
	OK(t, bind(s, &a.sa, a.len));
	OK(t, connect(s, &a.sa, a.len));
	note_mask(t, "connected to itself", s);
	IS(t, send(s, "echo", 4, 0), 4);
	IS(t, recv(s, buf, 8, 0), 4);
	note(t, "got %s", buf);
	OK(t, shutdown(s, SHUT_WR));
	IS(t, recv(s, buf, 8, 0), 0);
	settle(t, "closed by itself", s, POLLHUP);
}

DIFF(listen_states)
{
	struct addr a = { .len = 0 };
	int l = sock(t), s = sock(t);

	/* listen() without bind() picks a port. */
	OK(t, listen(l, 5));
	addr_name(t, l, &a);
	note(t, "name %s", addr_show(&a));
	IS(t, get_int(l, SOL_SOCKET, SO_ACCEPTCONN), 1);
	note_mask(t, "listening", l);
	OK(t, listen(l, 0));
	OK(t, listen(l, -1));
	FAILS(t, recv(l, &a, 1, 0), ENOTCONN);
	FAILS(t, send(l, "x", 1, MSG_NOSIGNAL), EPIPE);
	a.len = sizeof(a.ss);
	FAILS(t, getpeername(l, &a.sa, &a.len), ENOTCONN);
	OK(t, shutdown(l, SHUT_WR));
	addr_name(t, l, &a);
	addr_loop(t, &a, addr_port(&a));
	OK(t, connect(s, &a.sa, a.len));
	settle(t, "connection waits", l, POLLIN);
	/* SHUT_RD ends listening; the socket can listen again. */
	OK(t, shutdown(l, SHUT_RD));
	note_mask(t, "listener shut", l);
	FAILS(t, accept(l, NULL, NULL), EINVAL);
	settle(t, "client", s, POLLHUP);
	FAILS(t, connect(sock(t), &a.sa, a.len), ECONNREFUSED);
	OK(t, listen(l, 1));
	addr_name(t, l, &a);
	addr_loop(t, &a, addr_port(&a));
	OK(t, connect(sock(t), &a.sa, a.len));
	FAILS(t, listen(-1, 1), EBADF);
}

DIFF(accept_flags)
{
	struct addr a = { .len = 0 };
	int l, c, i;
	static const int flags[] = { 0, SOCK_NONBLOCK, SOCK_CLOEXEC,
				     SOCK_NONBLOCK | SOCK_CLOEXEC };

	l = listener(t, &a, 8);
	OK(t, fcntl(l, F_SETFL, O_NONBLOCK));
	FAILS(t, accept(l, NULL, NULL), EAGAIN);
	FAILS(t, accept4(l, NULL, NULL, SOCK_NONBLOCK), EAGAIN);
	for (i = 0; i < 4; i++) {
		OK(t, connect(sock(t), &a.sa, a.len));
		await(l, POLLIN);
		c = accept4(l, NULL, NULL, flags[i]);
		TRUE(t, c >= 0);
		note(t, "flags %x: fl %x fd %x", flags[i], fcntl(c, F_GETFL),
		     fcntl(c, F_GETFD));
	}
	FAILS(t, accept4(l, NULL, NULL, 1), EINVAL);
	FAILS(t, accept4(l, NULL, NULL, -1), EINVAL);
	FAILS(t, accept(-1, NULL, NULL), EBADF);
	FAILS(t, accept(0x7fffffff, NULL, NULL), EBADF);
}

DIFF(accept_address)
{
	struct addr a = { .len = 0 }, b;
	socklen_t len;
	int l = listener(t, &a, 16), i;
	static const int lens[] = { 0, 1, 2, 4, 8, 16, 28, 128 };

	for (i = 0; i < (int)ARRAY_SIZE(lens); i++) {
		OK(t, connect(sock(t), &a.sa, a.len));
		memset(&b, 0x5a, sizeof(b));
		len = lens[i];
		TRUE(t, accept(l, &b.sa, &len) >= 0);
		note(t, "len %d -> %u, family %x, byte 2..: %x", lens[i], len,
		     lens[i] >= 2 ? b.sa.sa_family : 0,
		     lens[i] == 4 ? 0 : b.ss.__ss_padding[13]);
	}
	OK(t, connect(sock(t), &a.sa, a.len));
	len = -1;
	FAILS(t, accept(l, &b.sa, &len), EINVAL);
	OK(t, connect(sock(t), &a.sa, a.len));
	FAILS(t, accept(l, &b.sa, NULL), EFAULT);
	OK(t, connect(sock(t), &a.sa, a.len));
	FAILS(t, accept(l, (struct sockaddr *)8, &b.len), EFAULT);
	OK(t, fcntl(l, F_SETFL, O_NONBLOCK));
	/* A connection whose address could not be written is gone. */
	FAILS(t, accept(l, NULL, NULL), EAGAIN);
}

DIFF(name_lengths)
{
	static const int lens[] = { 0, 1, 2, 8, 15, 16, 17, 24, 27, 28, 29, 128, 4096 };
	struct addr b;
	int fd[2], i;
	socklen_t len;

	pair(t, fd);
	for (i = 0; i < (int)ARRAY_SIZE(lens); i++) {
		memset(&b, 0, sizeof(b));
		len = lens[i];
		CALL(t, getsockname(fd[0], &b.sa, &len));
		note(t, "%d -> %u family %d", lens[i], len, b.sa.sa_family);
		len = lens[i];
		CALL(t, getpeername(fd[0], &b.sa, &len));
		note(t, "%d -> %u", lens[i], len);
	}
	len = -1;
	FAILS(t, getsockname(fd[0], &b.sa, &len), EINVAL);
	len = 16;
	FAILS(t, getsockname(fd[0], NULL, &len), EFAULT);
	FAILS(t, getsockname(fd[0], &b.sa, NULL), EFAULT);
}

DIFF(accept_timeout)
{
	struct timeval tv = { .tv_usec = 100000 };
	struct addr a = { .len = 0 };
	int l = listener(t, &a, 1);
	double start = now_s();

	OK(t, setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	FAILS(t, accept(l, NULL, NULL), EAGAIN);
	TRUE(t, now_s() - start >= 0.08);
}

DIFF(accept_order)
{
	struct addr a = { .len = 0 }, want, got;
	int l = listener(t, &a, 8), s[5], i;

	for (i = 0; i < 5; i++) {
		s[i] = sock(t);
		OK(t, connect(s[i], &a.sa, a.len));
	}
	for (i = 0; i < 5; i++) {
		got.len = sizeof(got.ss);
		TRUE(t, accept(l, &got.sa, &got.len) >= 0);
		addr_name(t, s[i], &want);
		TRUE(t, addr_port(&want) == addr_port(&got));
	}
}

DIFF(accept_ended)
{
	struct linger now = { .l_onoff = 1 };
	struct addr a = { .len = 0 };
	int l = listener(t, &a, 8), s = sock(t), c;
	char buf[8];

	/* Said something and went: data, then EOF. */
	OK(t, connect(s, &a.sa, a.len));
	IS(t, send(s, "bye", 3, 0), 3);
	OK(t, close(s));
	await(l, POLLIN);
	c = accept(l, NULL, NULL);
	settle(t, "FIN before accept", c, POLLRDHUP);
	IS(t, recv(c, buf, 8, 0), 3);
	IS(t, recv(c, buf, 8, 0), 0);
	/* Reset before accept: still handed over, the error comes on read. */
	s = sock(t);
	OK(t, connect(s, &a.sa, a.len));
	OK(t, setsockopt(s, SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	OK(t, close(s));
	await(l, POLLIN);
	c = accept(l, NULL, NULL);
	TRUE(t, c >= 0);
	settle(t, "RST before accept", c, POLLHUP);
	FAILS(t, recv(c, buf, 8, 0), ECONNRESET);
	IS(t, recv(c, buf, 8, 0), 0);
	FAILS(t, send(c, buf, 8, MSG_NOSIGNAL), EPIPE);
}

DIFF(listener_closed_with_children)
{
	struct addr a = { .len = 0 };
	int l = listener(t, &a, 8), s = sock(t);
	char x;

	OK(t, connect(s, &a.sa, a.len));
	await(l, POLLIN);
	OK(t, close(l));
	settle(t, "client", s, POLLHUP);
	FAILS(t, recv(s, &x, 1, 0), ECONNRESET);
	FAILS(t, connect(sock(t), &a.sa, a.len), ECONNREFUSED);
}

/* Until that many connections wait at the listener, or have had every chance to. */
static void await_queued(int l, unsigned int n)
{
	struct tcp_info i;
	socklen_t len = sizeof(i);
	int tries;

	for (tries = 0; tries < 3000; tries++) {
		if (getsockopt(l, IPPROTO_TCP, TCP_INFO, &i, &len) || i.tcpi_unacked >= n)
			break;
		poll(NULL, 0, 1);
	}
}

/* Connections that fit before one stalls: the limit is backlog + 1. */
static int count_fit(struct run *t, int backlog)
{
	struct timeval tv = { .tv_usec = 150000 };
	struct addr a = { .len = 0 };
	int l = listener(t, &a, backlog), s, n = 0;

	while (n < 30) {
		s = sock(t);
		setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
		if (connect(s, &a.sa, a.len))
			break;
		n++;
		/* The next SYN must not overtake the last ACK on another processor. */
		await_queued(l, n);
	}
	close(l);
	return n;
}

static void write_file(struct run *t, const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	TRUE(t, write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

DIFF(backlog)
{
	IS(t, count_fit(t, 0), 1);
	IS(t, count_fit(t, 1), 2);
	IS(t, count_fit(t, 2), 3);
	IS(t, count_fit(t, 7), 8);
	write_file(t, "/proc/sys/net/core/somaxconn", "3");
	IS(t, count_fit(t, 100), 4);
	IS(t, count_fit(t, -1), 4);
	IS(t, count_fit(t, 0x7fffffff), 4);
	write_file(t, "/proc/sys/net/core/somaxconn", "4096");
}

DIFF_MAIN
