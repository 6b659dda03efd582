// SPDX-License-Identifier: GPL-2.0
/* poll, select and epoll: the event masks of every state (SEEDS X-16). */
#include <kselftest_harness.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "diff.h"

DIFF_FIXTURE()

DIFF(states)
{
	struct addr a = { .len = 0 };
	int s = sock(t), l = sock(t), c;
	char x;

	IS(t, mask(s), POLLOUT | POLLWRNORM | POLLHUP);
	addr_loop(t, &a, 0);
	OK(t, bind(s, &a.sa, a.len));
	note_mask(t, "bound", s);
	OK(t, bind(l, &a.sa, a.len));
	OK(t, listen(l, 1));
	IS(t, mask(l), 0);
	addr_name(t, l, &a);
	OK(t, connect(s, &a.sa, a.len));
	settle(t, "listener", l, POLLIN);
	IS(t, mask(l), POLLIN | POLLRDNORM);
	c = accept(l, NULL, NULL);
	IS(t, mask(l), 0);
	IS(t, mask(c), POLLOUT | POLLWRNORM);
	IS(t, mask(s), POLLOUT | POLLWRNORM);
	IS(t, send(s, "1", 1, 0), 1);
	settle(t, "data", c, POLLIN);
	IS(t, mask(c), POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
	IS(t, recv(c, &x, 1, 0), 1);
	IS(t, mask(c), POLLOUT | POLLWRNORM);
}

DIFF(closes)
{
	int fd[2];
	char x;

	pair(t, fd);
	OK(t, shutdown(fd[0], SHUT_WR));
	settle(t, "FIN arrived", fd[1], POLLRDHUP);
	IS(t, mask(fd[1]), POLLIN | POLLRDNORM | POLLRDHUP | POLLOUT | POLLWRNORM);
	note_mask(t, "FIN sent", fd[0]);
	IS(t, recv(fd[1], &x, 1, 0), 0);
	note_mask(t, "EOF read", fd[1]);
	OK(t, shutdown(fd[1], SHUT_WR));
	settle(t, "both closed, passive", fd[1], POLLHUP);
	settle(t, "both closed, active", fd[0], POLLHUP);
}

DIFF(close_with_data)
{
	int fd[2];
	char x;

	pair(t, fd);
	IS(t, send(fd[0], "last", 4, 0), 4);
	OK(t, close(fd[0]));
	settle(t, "data and FIN", fd[1], POLLRDHUP);
	IS(t, recv(fd[1], &x, 1, 0), 1);
	note_mask(t, "data left", fd[1]);
	IS(t, send(fd[1], "x", 1, 0), 1);
	settle(t, "answered with RST", fd[1], POLLERR);
	CALL(t, recv(fd[1], &x, 1, 0));
	CALL(t, recv(fd[1], &x, 1, 0));
	CALL(t, get_int(fd[1], SOL_SOCKET, SO_ERROR));
	note_mask(t, "in the end", fd[1]);
}

DIFF(reset)
{
	struct linger now = { .l_onoff = 1 };
	int fd[2];
	char x;

	pair(t, fd);
	OK(t, setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	OK(t, close(fd[0]));
	settle(t, "RST", fd[1], POLLERR | POLLHUP);
	IS(t, mask(fd[1]), POLLIN | POLLRDNORM | POLLRDHUP | POLLOUT | POLLWRNORM |
			   POLLERR | POLLHUP);
	FAILS(t, recv(fd[1], &x, 1, 0), ECONNRESET);
	note_mask(t, "error read", fd[1]);
	IS(t, recv(fd[1], &x, 1, 0), 0);
	FAILS(t, send(fd[1], &x, 1, MSG_NOSIGNAL), EPIPE);
}

DIFF(reset_in_close_wait)
{
	struct linger now = { .l_onoff = 1 };
	int fd[2];
	char x;

	pair(t, fd);
	OK(t, shutdown(fd[0], SHUT_WR));
	await(fd[1], POLLRDHUP);
	IS(t, send(fd[1], "unread", 6, 0), 6);
	await(fd[0], POLLIN);
	OK(t, setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	OK(t, close(fd[0]));
	settle(t, "RST after FIN", fd[1], POLLERR);
	/* EOF was there first; the RST shows as EPIPE (SEEDS X-15). */
	CALL(t, recv(fd[1], &x, 1, 0));
	FAILS(t, send(fd[1], &x, 1, MSG_NOSIGNAL), EPIPE);
	CALL(t, get_int(fd[1], SOL_SOCKET, SO_ERROR));
}

DIFF(shutdown_read)
{
	int fd[2];
	char x[4];

	pair(t, fd);
	OK(t, shutdown(fd[0], SHUT_RD));
	note_mask(t, "SHUT_RD", fd[0]);
	IS(t, recv(fd[0], x, 4, 0), 0);
	/* Nobody told the peer; what it sends still arrives. */
	note_mask(t, "peer", fd[1]);
	IS(t, send(fd[1], "more", 4, 0), 4);
	await_bytes(fd[0], 4);
	IS(t, recv(fd[0], x, 4, MSG_DONTWAIT), 4);
	IS(t, recv(fd[0], x, 4, MSG_DONTWAIT), 0);
	IS(t, send(fd[0], "x", 1, 0), 1);
	OK(t, shutdown(fd[0], SHUT_RD));
	OK(t, shutdown(fd[0], SHUT_RDWR));
	settle(t, "SHUT_RDWR", fd[0], POLLHUP);
	settle(t, "its peer", fd[1], POLLRDHUP);
	OK(t, shutdown(fd[0], SHUT_WR));
	OK(t, close(fd[1]));
	note_mask(t, "all closed", fd[0]);
}

DIFF(lowat)
{
	int fd[2];
	char x[8];

	pair(t, fd);
	set_int(t, fd[1], SOL_SOCKET, SO_RCVLOWAT, 4);
	IS(t, send(fd[0], "123", 3, 0), 3);
	await(fd[0], POLLOUT);
	IS(t, mask(fd[1]) & POLLIN, 0);
	IS(t, send(fd[0], "4", 1, 0), 1);
	settle(t, "four bytes", fd[1], POLLIN);
	IS(t, recv(fd[1], x, 2, 0), 2);
	note_mask(t, "two left", fd[1]);
	OK(t, shutdown(fd[0], SHUT_WR));
	settle(t, "FIN below the mark", fd[1], POLLRDHUP);
}

DIFF(urgent)
{
	int fd[2];
	char x[8];

	pair(t, fd);
	IS(t, send(fd[0], "ab!", 3, MSG_OOB), 3);
	settle(t, "urgent", fd[1], POLLPRI);
	IS(t, recv(fd[1], x, 1, MSG_OOB), 1);
	note(t, "urgent byte %c", x[0]);
	note_mask(t, "urgent byte read", fd[1]);
	IS(t, recv(fd[1], x, 8, 0), 2);
	note_mask(t, "rest read", fd[1]);
}

DIFF(writable)
{
	static char buf[65536];
	long n, sent = 0, got = 0;
	int fd[2];

	pair(t, fd);
	OK(t, fcntl(fd[0], F_SETFL, O_NONBLOCK));
	OK(t, fcntl(fd[1], F_SETFL, O_NONBLOCK));
	while ((n = send(fd[0], buf, sizeof(buf), 0)) > 0)
		sent += n;
	FAILS(t, send(fd[0], buf, 1, 0), EAGAIN);
	note_mask(t, "full", fd[0]);
	settle(t, "reader", fd[1], POLLIN);
	while (got < sent && await(fd[1], POLLIN)) {
		while ((n = recv(fd[1], buf, sizeof(buf), 0)) > 0)
			got += n;
	}
	TRUE(t, got == sent);
	settle(t, "drained", fd[0], POLLOUT);
}

DIFF(select_sets)
{
	struct timeval none = { 0 };
	fd_set r, w, e;
	int fd[2];

	pair(t, fd);
	IS(t, send(fd[0], "x!", 2, MSG_OOB), 2);
	await(fd[1], POLLPRI);
	FD_ZERO(&r);
	FD_SET(fd[1], &r);
	w = r;
	e = r;
	CALL(t, select(fd[1] + 1, &r, &w, &e, &none));
	note(t, "r %d w %d e %d", !!FD_ISSET(fd[1], &r), !!FD_ISSET(fd[1], &w),
	     !!FD_ISSET(fd[1], &e));
	FD_ZERO(&r);
	FD_SET(fd[0], &r);
	w = r;
	e = r;
	CALL(t, select(fd[0] + 1, &r, &w, &e, &none));
	note(t, "r %d w %d e %d", !!FD_ISSET(fd[0], &r), !!FD_ISSET(fd[0], &w),
	     !!FD_ISSET(fd[0], &e));
	FAILS(t, select(-1, &r, &w, &e, &none), EINVAL);
}

/* One epoll_wait() that does not block, as text. */
static void note_epoll(struct run *t, const char *what, int ep)
{
	struct epoll_event ev[4];
	int n = epoll_wait(ep, ev, 4, 0);

	if (n == 1)
		note(t, "%s: %d event %s", what, n, poll_text(ev[0].events));
	else
		note(t, "%s: %d events", what, n);
}

/* Waits for any event at all on the epoll descriptor itself. */
static void epoll_settle(struct run *t, const char *what, int ep)
{
	await(ep, POLLIN);
	note_epoll(t, what, ep);
}

#define EV_ALL	(EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLRDNORM | EPOLLWRNORM)

static int epoll_on(struct run *t, int fd, unsigned int events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	OK(t, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	FAILS(t, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev), EEXIST);
	return ep;
}

DIFF(epoll_level)
{
	int fd[2], ep;
	char x;

	pair(t, fd);
	ep = epoll_on(t, fd[1], EV_ALL);
	note_epoll(t, "idle", ep);
	note_epoll(t, "idle again", ep);
	IS(t, send(fd[0], "ab", 2, 0), 2);
	await(fd[1], POLLIN);
	note_epoll(t, "data", ep);
	IS(t, recv(fd[1], &x, 1, 0), 1);
	note_epoll(t, "more data", ep);
	IS(t, recv(fd[1], &x, 1, 0), 1);
	note_epoll(t, "no data", ep);
	OK(t, close(fd[0]));
	await(fd[1], POLLRDHUP);
	note_epoll(t, "FIN", ep);
}

DIFF(epoll_edge)
{
	int fd[2], ep;
	char x;

	pair(t, fd);
	ep = epoll_on(t, fd[1], EV_ALL | EPOLLET);
	note_epoll(t, "first", ep);
	note_epoll(t, "no news", ep);
	IS(t, send(fd[0], "a", 1, 0), 1);
	epoll_settle(t, "data", ep);
	note_epoll(t, "no news", ep);
	IS(t, send(fd[0], "b", 1, 0), 1);
	epoll_settle(t, "more unread data", ep);
	IS(t, recv(fd[1], &x, 1, 0), 1);
	note_epoll(t, "after a read", ep);
	OK(t, shutdown(fd[0], SHUT_WR));
	epoll_settle(t, "FIN", ep);
	note_epoll(t, "no news", ep);
}

DIFF(epoll_edge_write)
{
	static char buf[65536];
	long n, sent = 0, got = 0;
	int fd[2], ep;

	pair(t, fd);
	OK(t, fcntl(fd[0], F_SETFL, O_NONBLOCK));
	ep = epoll_on(t, fd[0], EPOLLOUT | EPOLLET);
	note_epoll(t, "writable", ep);
	while ((n = send(fd[0], buf, sizeof(buf), 0)) > 0)
		sent += n;
	note_epoll(t, "full", ep);
	while (got < sent && (n = recv(fd[1], buf, sizeof(buf), 0)) > 0)
		got += n;
	TRUE(t, got == sent);
	epoll_settle(t, "writable again", ep);
}

DIFF(epoll_oneshot)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLONESHOT };
	int fd[2], ep;

	pair(t, fd);
	ep = epoll_on(t, fd[1], EPOLLIN | EPOLLONESHOT);
	IS(t, send(fd[0], "a", 1, 0), 1);
	epoll_settle(t, "once", ep);
	IS(t, send(fd[0], "b", 1, 0), 1);
	await_bytes(fd[1], 2);
	note_epoll(t, "disarmed", ep);
	OK(t, epoll_ctl(ep, EPOLL_CTL_MOD, fd[1], &ev));
	note_epoll(t, "armed again", ep);
}

DIFF(epoll_connect)
{
	struct addr a = { .len = 0 };
	int l = listener(t, &a, 1), s = sock_flags(t, SOCK_NONBLOCK), ep;

	ep = epoll_on(t, s, EV_ALL | EPOLLET);
	note_epoll(t, "fresh", ep);
	FAILS(t, connect(s, &a.sa, a.len), EINPROGRESS);
	await(s, POLLOUT);
	note_epoll(t, "connected", ep);
	TRUE(t, accept(l, NULL, NULL) >= 0);
	note_epoll(t, "no news", ep);
}

DIFF(epoll_refused)
{
	struct addr a = { .len = 0 };
	int l = listener(t, &a, 1), s = sock_flags(t, SOCK_NONBLOCK), ep;

	close(l);
	ep = epoll_on(t, s, EPOLLOUT | EPOLLRDHUP);
	FAILS(t, connect(s, &a.sa, a.len), EINPROGRESS);
	settle(t, "refused", s, POLLERR);
	note_epoll(t, "refused", ep);
}

/* Two epolls wait exclusively on one listener: one event wakes at least one. */
DIFF(epoll_exclusive)
{
	struct addr a = { .len = 0 };
	int l = listener(t, &a, 8), e1, e2, n;
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLEXCLUSIVE };

	e1 = epoll_on(t, l, EPOLLIN | EPOLLEXCLUSIVE);
	e2 = epoll_create1(0);
	FAILS(t, epoll_ctl(e2, EPOLL_CTL_ADD, l, &ev), EINVAL);
	ev.events = EPOLLIN | EPOLLEXCLUSIVE;
	OK(t, epoll_ctl(e2, EPOLL_CTL_ADD, l, &ev));
	FAILS(t, epoll_ctl(e2, EPOLL_CTL_MOD, l, &ev), EINVAL);
	OK(t, connect(sock(t), &a.sa, a.len));
	await(l, POLLIN);
	n = epoll_wait(e1, &ev, 1, 0);
	n += epoll_wait(e2, &ev, 1, 0);
	TRUE(t, n >= 1);
	TRUE(t, accept(l, NULL, NULL) >= 0);
	note_epoll(t, "taken", e1);
	note_epoll(t, "taken", e2);
}

DIFF(poll_timeout)
{
	struct pollfd p = { .events = POLLIN };
	double start = now_s();
	int fd[2];

	pair(t, fd);
	p.fd = fd[0];
	IS(t, poll(&p, 1, 100), 0);
	TRUE(t, now_s() - start >= 0.08);
	OK(t, close(fd[0]));
	IS(t, poll(&p, 1, 0), 1);
	note(t, "closed: %s", poll_text(p.revents));
}

static void *poll_thread(void *arg)
{
	return (void *)(long)await(*(int *)arg, POLLIN);
}

/* A thread asleep in poll() is woken by data, FIN and RST alike. */
DIFF(poll_wakes)
{
	struct linger now = { .l_onoff = 1 };
	pthread_t th;
	int fd[2], i;
	void *got;

	for (i = 0; i < 3; i++) {
		pair(t, fd);
		OK(t, pthread_create(&th, NULL, poll_thread, &fd[1]));
		if (i == 0)
			IS(t, send(fd[0], "x", 1, 0), 1);
		if (i == 2)
			setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		if (i)
			OK(t, close(fd[0]));
		OK(t, pthread_join(th, &got));
		note(t, "woken with %s", poll_text((long)got));
	}
}

DIFF_MAIN
