// SPDX-License-Identifier: GPL-2.0
/* The storm's calls on sockets. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/xtcp.h>

#include "storm.h"

/* An address a call may be given: good ones, dead ones and garbage. */
static void *some_address(struct storm *s, int *len)
{
	static const char * const v4[] = { "127.0.0.1", "0.0.0.0", "127.0.0.2", "10.77.7.9" };
	static const char * const v6[] = { "::1", "::", "::ffff:127.0.0.1", "fd99::9" };
	struct sockaddr_in6 *a6 = (void *)s->buf;
	struct sockaddr_in *a4 = (void *)s->buf;
	u16 port = htons(one_in(s, 8) ? 0 : PORT + rnd(s, PORTS));

	memset(s->buf, 0, 128);
	if (one_in(s, 16))
		return storm_garbage(s, len);
	if (one_in(s, 2)) {
		a6->sin6_family = AF_INET6;
		a6->sin6_port = port;
		inet_pton(AF_INET6, v6[rnd(s, one_in(s, 8) ? 4 : 3)], &a6->sin6_addr);
		*len = sizeof(*a6);
	} else {
		a4->sin_family = one_in(s, 8) ? AF_XTCP : AF_INET;
		a4->sin_port = port;
		inet_pton(AF_INET, v4[rnd(s, one_in(s, 8) ? 4 : 3)], &a4->sin_addr);
		*len = sizeof(*a4);
	}
	if (one_in(s, 20))
		a4->sin_family = AF_UNSPEC;
	if (one_in(s, 20))
		*len = rnd(s, 40);
	return s->buf;
}

static void call_socket(struct storm *s)
{
	static const int families[] = { AF_XTCP, AF_XTCP, AF_XTCP, AF_XTCP, AF_INET, AF_INET6 };
	int family = families[rnd(s, ARRAY_SIZE(families))];
	int type = SOCK_STREAM | (one_in(s, 3) ? 0 : SOCK_NONBLOCK) | SOCK_CLOEXEC;
	int proto = family == AF_XTCP ? (int)rnd(s, 2) : IPPROTO_XTCP, one = 1, fd;

	if (one_in(s, 50))
		proto = rnd(s, 300);
	fd = storm_result("socket", socket(family, type, proto));
	if (fd < 0)
		return;
	storm_count(N_SOCKET, 1);
	setsockopt(fd, SOL_SOCKET, one_in(s, 3) ? SO_REUSEPORT : SO_REUSEADDR, &one, sizeof(one));
	slot_put(s, fd);
}

static void call_bind(struct storm *s)
{
	int len;
	void *a = some_address(s, &len);

	storm_result("bind", bind(slot_get(s), a, len));
}

static void call_listen(struct storm *s)
{
	if (!storm_result("listen", listen(slot_get(s), rnd(s, 8) - 1)))
		storm_count(N_LISTEN, 1);
}

/* The three calls that make a server, in a row: by chance they seldom meet. */
static void call_serve(struct storm *s)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6,
				  .sin6_port = htons(PORT + rnd(s, PORTS)) };
	int fd = socket(AF_XTCP, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, XTCP_PROTO_IPV6);
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (!bind(fd, (void *)&a, sizeof(a)) && !listen(fd, rnd(s, 10)))
		storm_count(N_LISTEN, 1);
	slot_put(s, fd);
}

/* Both ends of a connection, and perhaps its listener, left to the others. */
static void call_meet(struct storm *s)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	bool v4 = one_in(s, 2);
	int type = SOCK_STREAM | SOCK_CLOEXEC, proto = v4 ? XTCP_PROTO_IPV4 : XTCP_PROTO_IPV6;
	int l = socket(AF_XTCP, type | SOCK_NONBLOCK, proto);
	int c = socket(AF_XTCP, type | (one_in(s, 2) ? SOCK_NONBLOCK : 0), proto);
	socklen_t len = v4 ? sizeof(struct sockaddr_in) : sizeof(a);
	struct pollfd p = { .fd = l, .events = POLLIN };
	int fd = -1;

	if (v4) {
		memset(&a, 0, sizeof(a));
		a.sin6_family = AF_INET;	/* and the any address */
	}
	if (!bind(l, (void *)&a, len) && !listen(l, 1 + rnd(s, 4)) &&
	    !getsockname(l, (void *)&a, &len)) {
		storm_count(N_LISTEN, 1);
		if (!storm_result("connect", connect(c, (void *)&a, len)) || errno == EINPROGRESS)
			storm_count(N_CONNECT, 1);
		if (poll(&p, 1, 20) == 1)
			fd = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	}
	if (fd >= 0)
		storm_count(N_ACCEPT, 1);
	slot_put(s, fd);
	slot_put(s, c);
	if (one_in(s, 4))
		slot_put(s, l);
	else
		close(l);
}

static void call_accept(struct storm *s)
{
	struct sockaddr_storage ss;
	socklen_t len = rnd(s, sizeof(ss) + 1);
	int fd = accept4(slot_get(s), one_in(s, 2) ? NULL : (void *)&ss, &len,
			 (one_in(s, 3) ? 0 : SOCK_NONBLOCK) | SOCK_CLOEXEC);

	storm_result("accept", fd);
	if (fd < 0)
		return;
	storm_count(N_ACCEPT, 1);
	slot_put(s, fd);
}

static void call_connect(struct storm *s)
{
	struct pollfd p = { .fd = slot_get(s), .events = POLLOUT };
	int len, ret;
	void *a = some_address(s, &len);

	ret = storm_result("connect", connect(p.fd, a, len));
	if (ret && errno == EINPROGRESS && poll(&p, 1, 5) == 1)
		ret = p.revents & (POLLERR | POLLHUP);
	if (!ret)
		storm_count(N_CONNECT, 1);
}

static int some_flags(struct storm *s)
{
	static const int flags[] = {
		MSG_DONTWAIT, MSG_PEEK, MSG_OOB, MSG_TRUNC, MSG_WAITALL, MSG_MORE, MSG_ERRQUEUE,
		MSG_ZEROCOPY, MSG_DONTROUTE, MSG_CTRUNC, MSG_EOR, MSG_CONFIRM, MSG_FASTOPEN,
		MSG_CMSG_CLOEXEC, MSG_SYN, MSG_RST, MSG_PROXY, MSG_FIN,
	};
	int f = MSG_NOSIGNAL | (one_in(s, 3) ? 0 : MSG_DONTWAIT), n = rnd(s, 3);

	while (n--)
		f |= flags[rnd(s, ARRAY_SIZE(flags))];
	return one_in(s, 50) ? (int)rnd(s, 0) : f;
}

/* A place for data: whole, or one that ends too early. */
static u8 *some_buffer(struct storm *s, u32 *len)
{
	*len = rnd(s, 1 << rnd(s, 17));
	if (one_in(s, 12))
		return s->edge - rnd(s, *len + 1);
	return s->buf;
}

static void call_send(struct storm *s)
{
	u32 len;
	u8 *p = some_buffer(s, &len);

	storm_result("send", send(slot_get(s), p, len, some_flags(s)));
}

static void call_recv(struct storm *s)
{
	u32 len;
	u8 *p = some_buffer(s, &len);
	long n = storm_result("recv", recv(slot_get(s), p, len, some_flags(s)));

	if (n > 0)
		storm_count(N_BYTES, n);
}

static void fill_msg(struct storm *s, struct msghdr *m, struct iovec *iov, int n)
{
	int i;

	memset(m, 0, sizeof(*m));
	for (i = 0; i < n; i++) {
		u32 len;

		iov[i].iov_base = some_buffer(s, &len);
		iov[i].iov_len = one_in(s, 8) ? 0 : len;
	}
	m->msg_iov = iov;
	m->msg_iovlen = n;
	if (one_in(s, 8)) {
		m->msg_control = s->buf + 1024;
		m->msg_controllen = rnd(s, 256);
	}
	if (one_in(s, 8)) {
		int len;

		m->msg_name = some_address(s, &len);
		m->msg_namelen = len;
	}
}

static void call_msg(struct storm *s)
{
	struct mmsghdr mm[2];
	struct iovec iov[2][6];
	int i;

	for (i = 0; i < 2; i++)
		fill_msg(s, &mm[i].msg_hdr, iov[i], rnd(s, 7));
	switch (rnd(s, 4)) {
	case 0:
		storm_result("sendmsg", sendmsg(slot_get(s), &mm[0].msg_hdr, some_flags(s)));
		break;
	case 1:
		storm_result("recvmsg", recvmsg(slot_get(s), &mm[0].msg_hdr, some_flags(s)));
		break;
	case 2:
		storm_result("sendmmsg", sendmmsg(slot_get(s), mm, 2, some_flags(s)));
		break;
	case 3:
		storm_result("recvmmsg", recvmmsg(slot_get(s), mm, 2, some_flags(s), NULL));
		break;
	}
}

static void call_splice(struct storm *s)
{
	off_t off = rnd(s, BUF_SIZE);
	u32 len = rnd(s, 1 << rnd(s, 17));
	int flags = SPLICE_F_NONBLOCK | rnd(s, 16);

	switch (rnd(s, 5)) {
	case 0:
		storm_result("sendfile", sendfile(slot_get(s), s->file, &off, len));
		break;
	case 1:
		storm_result("splice", splice(s->file, &off, s->pipe[1], NULL, len, flags));
		break;
	case 2:
		storm_result("splice", splice(s->pipe[0], NULL, slot_get(s), NULL, len, flags));
		break;
	case 3:
		storm_result("splice", splice(slot_get(s), NULL, s->pipe[1], NULL, len, flags));
		break;
	case 4:
		/* room again */
		if (read(s->pipe[0], s->buf, BUF_SIZE) < 0)
			errno = 0;
		break;
	}
}

static void call_shutdown(struct storm *s)
{
	storm_result("shutdown", shutdown(slot_get(s), rnd(s, 4)));
}

static void call_close(struct storm *s)
{
	int fd = atomic_exchange(&storm_slots[rnd(s, SLOTS)], -1);

	if (fd >= 0)
		storm_result("close", close(fd));
}

static void call_dup(struct storm *s)
{
	slot_put(s, dup(slot_get(s)));
}

/* A child with all the sockets; it makes a few calls and dies without a word. */
static void call_fork(struct storm *s)
{
	struct itimerval it = { { 0, 5000 }, { 0, 5000 } };
	struct sigaction sa;
	pid_t pid;
	int i;

	if (s->child)
		return;
	pid = fork();
	if (!pid) {
		/* nobody else is there to interrupt what blocks */
		sigaction(SIGUSR1, NULL, &sa);
		sigaction(SIGALRM, &sa, NULL);
		setitimer(ITIMER_REAL, &it, NULL);
		s->child = true;
		s->rng ^= getpid();
		storm_some(s, 20);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, &i, 0) < 0 && errno == EINTR)
		;
}

static void call_poll(struct storm *s)
{
	struct epoll_event ev = { .events = rnd(s, 0) }, out[8];
	struct pollfd p[4];
	int i;

	switch (rnd(s, 3)) {
	case 0:
		for (i = 0; i < 4; i++) {
			p[i].fd = slot_get(s);
			p[i].events = rnd(s, 0x10000);
		}
		storm_result("poll", poll(p, 4, rnd(s, 3)));
		break;
	case 1:
		storm_result("epoll_ctl", epoll_ctl(s->epoll, 1 + rnd(s, 3), slot_get(s), &ev));
		break;
	case 2:
		storm_result("epoll_wait", epoll_wait(s->epoll, out, 8, rnd(s, 3)));
		break;
	}
}

static void call_fcntl(struct storm *s)
{
	int fd = slot_get(s);

	switch (rnd(s, 3)) {
	case 0:
		storm_result("fcntl", fcntl(fd, F_SETFL, one_in(s, 2) ? O_NONBLOCK : O_ASYNC));
		break;
	case 1:
		storm_result("fcntl", fcntl(fd, F_SETOWN, getpid()));
		break;
	case 2:
		storm_result("fcntl", fcntl(fd, F_GETFL));
		break;
	}
}

static void call_names(struct storm *s)
{
	socklen_t len = rnd(s, 64);

	if (one_in(s, 2))
		storm_result("getsockname", getsockname(slot_get(s), (void *)s->buf, &len));
	else
		storm_result("getpeername", getpeername(slot_get(s), (void *)s->buf, &len));
}

/* On their way in a message: received again, or lost with it. */
static void call_rights(struct storm *s)
{
	char ctl[CMSG_SPACE(2 * sizeof(int))] = { 0 }, c = 0;
	struct iovec iov = { &c, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl,
			    .msg_controllen = sizeof(ctl) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&m);
	int sp[2], fds[2] = { slot_get(s), slot_get(s) };

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sp))
		return;
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(cm), fds, sizeof(fds));
	if (sendmsg(sp[0], &m, 0) == 1 && one_in(s, 2) &&
	    recvmsg(sp[1], &m, MSG_DONTWAIT) == 1 && m.msg_controllen >= sizeof(ctl)) {
		memcpy(fds, CMSG_DATA(cm), sizeof(fds));
		slot_put(s, fds[0]);
		slot_put(s, fds[1]);
	}
	close(sp[0]);
	close(sp[1]);
}

static const struct storm_call calls[] = {
	{ call_socket, 12 }, { call_meet, 24 }, { call_serve, 8 }, { call_bind, 12 },
	{ call_listen, 10 },
	{ call_accept, 30 }, { call_connect, 30 }, { call_send, 60 }, { call_recv, 60 },
	{ call_msg, 40 }, { call_splice, 30 }, { call_shutdown, 6 }, { call_close, 8 },
	{ call_dup, 12 }, { call_fork, 2 }, { call_poll, 30 }, { call_fcntl, 10 },
	{ call_names, 8 }, { call_rights, 8 }, { call_setsockopt, 60 }, { call_getsockopt, 30 },
	{ call_ioctl, 12 }, { call_netns, 3 }, { call_device, 4 }, { call_sysctl, 10 },
	{ call_proc, 12 }, { call_uring, 8 },
};

/**
 * storm_call() - one call, any
 * @s: the thread
 */
void storm_call(struct storm *s)
{
	static int sum;
	u32 i, r;

	if (!sum) {
		int n = 0;

		for (i = 0; i < ARRAY_SIZE(calls); i++)
			n += calls[i].weight;
		sum = n;
	}
	r = rnd(s, sum);
	for (i = 0; r >= (u32)calls[i].weight; i++)
		r -= calls[i].weight;
	calls[i].fn(s);
}
