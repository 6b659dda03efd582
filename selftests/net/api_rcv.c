// SPDX-License-Identifier: GPL-2.0
/* What receiving tells and where it happens: timestamps, TCP_INQ, CPUs, wake-ups. */
#include <kselftest_harness.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "diff.h"

#ifndef TCP_INQ
#define TCP_INQ		36
#define TCP_CM_INQ	TCP_INQ
#endif

#define TRIES		2000	/* for what another CPU or a worker does in its own time */

DIFF_FIXTURE()

/* ---------------------------------------------------------------- messages */

/* One recvmsg() with room for control messages. */
static ssize_t get(int fd, void *buf, size_t len, int flags, struct msghdr *m)
{
	static struct iovec io;
	static char control[512];

	io.iov_base = buf;
	io.iov_len = len;
	memset(m, 0, sizeof(*m));
	m->msg_iov = &io;
	m->msg_iovlen = 1;
	m->msg_control = control;
	m->msg_controllen = sizeof(control);
	return recvmsg(fd, m, flags);
}

static const void *cmsg_of(struct msghdr *m, int level, int type, size_t len)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == level && c->cmsg_type == type &&
		    c->cmsg_len == CMSG_LEN(len))
			return CMSG_DATA(c);
	return NULL;
}

static void note_cmsgs(struct run *t, struct msghdr *m)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		note(t, "control level %d type %d length %zu", c->cmsg_level, c->cmsg_type,
		     (size_t)c->cmsg_len);
}

/* ----------------------------------------------------------------- stamps */

/* Not before the program, and not after now. */
static bool plausible(long long sec, long long nsec)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return sec > now.tv_sec - DIFF_TIMEOUT_MAX_S && nsec >= 0 && nsec < 1000000000 &&
	       (sec < now.tv_sec || (sec == now.tv_sec && nsec <= now.tv_nsec));
}

/*
 * Send and receive until stamps are taken: the kernel turns them on by a worker,
 * some time after the first socket asked for them.
 */
static bool get_stamped(int fd[2], int level, int type, struct msghdr *m)
{
	char buf[8];
	int i;

	for (i = 0; i < TRIES; i++) {
		if (send(fd[0], "stamp", 5, 0) != 5)
			return false;
		await_bytes(fd[1], 5);
		if (get(fd[1], buf, sizeof(buf), 0, m) != 5)
			return false;
		if (cmsg_of(m, level, type, sizeof(struct scm_timestamping)) ||
		    cmsg_of(m, level, type, sizeof(struct timespec)))
			return true;
		poll(NULL, 0, 1);
	}
	return false;
}

DIFF(stamp_usec)
{
	const struct timeval *tv;
	struct msghdr m;
	int fd[2];

	pair(t, fd);
	set_int(t, fd[1], SOL_SOCKET, SO_TIMESTAMP, 1);
	TRUE(t, get_stamped(fd, SOL_SOCKET, SCM_TIMESTAMP, &m));
	note_cmsgs(t, &m);
	tv = cmsg_of(&m, SOL_SOCKET, SCM_TIMESTAMP, sizeof(*tv));
	TRUE(t, tv && plausible(tv->tv_sec, tv->tv_usec * 1000LL));
	set_int(t, fd[1], SOL_SOCKET, SO_TIMESTAMP, 0);
	IS(t, send(fd[0], "x", 1, 0), 1);
	await_bytes(fd[1], 1);
	IS(t, get(fd[1], &(char){ 0 }, 1, 0, &m), 1);
	note_cmsgs(t, &m);
}

DIFF(stamp_nsec)
{
	const struct timespec *ts;
	struct msghdr m;
	int fd[2];

	pair(t, fd);
	set_int(t, fd[1], SOL_SOCKET, SO_TIMESTAMPNS, 1);
	TRUE(t, get_stamped(fd, SOL_SOCKET, SCM_TIMESTAMPNS, &m));
	note_cmsgs(t, &m);
	ts = cmsg_of(&m, SOL_SOCKET, SCM_TIMESTAMPNS, sizeof(*ts));
	TRUE(t, ts && plausible(ts->tv_sec, ts->tv_nsec));
}

/* The last skb's, and again when the bytes were only looked at. */
DIFF(stamping)
{
	static const struct { int opt, type; } how[] = {
		{ SO_TIMESTAMPING_OLD, SO_TIMESTAMPING_OLD },
		{ SO_TIMESTAMPING_NEW, SO_TIMESTAMPING_NEW },
	};
	const struct scm_timestamping *ts;
	struct msghdr m;
	unsigned int i;
	char buf[16];
	int fd[2];

	for (i = 0; i < ARRAY_SIZE(how); i++) {
		pair(t, fd);
		set_int(t, fd[1], SOL_SOCKET, how[i].opt,
			SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE);
		TRUE(t, get_stamped(fd, SOL_SOCKET, how[i].type, &m));
		note_cmsgs(t, &m);
		ts = cmsg_of(&m, SOL_SOCKET, how[i].type, sizeof(*ts));
		TRUE(t, ts && plausible(ts->ts[0].tv_sec, ts->ts[0].tv_nsec));
		TRUE(t, ts && !ts->ts[1].tv_sec && !ts->ts[2].tv_sec);
		IS(t, send(fd[0], "abc", 3, 0), 3);
		await_bytes(fd[1], 3);
		IS(t, get(fd[1], buf, 2, MSG_PEEK, &m), 2);
		note_cmsgs(t, &m);
		IS(t, get(fd[1], NULL, 3, MSG_TRUNC, &m), 3);
		note_cmsgs(t, &m);
		/* both kinds at once */
		set_int(t, fd[1], SOL_SOCKET, SO_TIMESTAMP, 1);
		IS(t, send(fd[0], "abc", 3, 0), 3);
		await_bytes(fd[1], 3);
		IS(t, get(fd[1], buf, 3, 0, &m), 3);
		note_cmsgs(t, &m);
		/* taken, but not asked for */
		set_int(t, fd[1], SOL_SOCKET, SO_TIMESTAMP, 0);
		set_int(t, fd[1], SOL_SOCKET, how[i].opt, SOF_TIMESTAMPING_RX_SOFTWARE);
		IS(t, send(fd[0], "abc", 3, 0), 3);
		await_bytes(fd[1], 3);
		IS(t, get(fd[1], buf, 3, 0, &m), 3);
		note_cmsgs(t, &m);
		OK(t, close(fd[0]));
		OK(t, close(fd[1]));
	}
}

/* ---------------------------------------------------------------- TCP_INQ */

static void note_inq(struct run *t, struct msghdr *m)
{
	const int *inq = cmsg_of(m, IPPROTO_TCP, TCP_CM_INQ, sizeof(*inq));

	note(t, "inq %d", inq ? *inq : -1);
}

DIFF(inq)
{
	char buf[16];
	struct msghdr m;
	int fd[2];

	pair(t, fd);
	FAILS(t, setsockopt(fd[1], IPPROTO_TCP, TCP_INQ, &(int){ 2 }, sizeof(int)), EINVAL);
	FAILS(t, setsockopt(fd[1], IPPROTO_TCP, TCP_INQ, &(int){ -1 }, sizeof(int)), EINVAL);
	note(t, "default %d", get_int(fd[1], IPPROTO_TCP, TCP_INQ));
	set_int(t, fd[1], IPPROTO_TCP, TCP_INQ, 1);
	note(t, "set %d", get_int(fd[1], IPPROTO_TCP, TCP_INQ));
	IS(t, send(fd[0], "0123456789", 10, 0), 10);
	await_bytes(fd[1], 10);
	IS(t, get(fd[1], buf, 3, MSG_PEEK, &m), 3);
	note_inq(t, &m);
	IS(t, get(fd[1], buf, 4, 0, &m), 4);
	note_inq(t, &m);
	IS(t, get(fd[1], buf, 16, 0, &m), 6);
	note_inq(t, &m);
	FAILS(t, get(fd[1], buf, 16, MSG_DONTWAIT, &m), EAGAIN);
	IS(t, send(fd[0], "!", 1, MSG_OOB), 1);
	await(fd[1], POLLPRI);
	IS(t, get(fd[1], buf, 1, MSG_OOB, &m), 1);
	note_inq(t, &m);
	OK(t, shutdown(fd[0], SHUT_WR));
	await(fd[1], POLLRDHUP);
	IS(t, get(fd[1], buf, 16, 0, &m), 0);
	note_inq(t, &m);
	set_int(t, fd[1], IPPROTO_TCP, TCP_INQ, 0);
	IS(t, get(fd[1], buf, 16, 0, &m), 0);
	note_inq(t, &m);
}

DIFF(inq_inherited)
{
	struct addr a = { };
	int lsn = listener(t, &a, 1), fd = sock(t), child;

	set_int(t, lsn, IPPROTO_TCP, TCP_INQ, 1);
	OK(t, connect(fd, &a.sa, a.len));
	await(lsn, POLLIN);
	child = accept(lsn, NULL, NULL);
	TRUE(t, child >= 0);
	note(t, "child has %d", get_int(child, IPPROTO_TCP, TCP_INQ));
}

/* ------------------------------------------------------------------- CPUs */

static bool pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* A byte each way, read on @cpu, until the stack receives there, too. */
static bool follows(int fd[2], int cpu)
{
	char c;
	int i;

	if (!pin(cpu))
		return false;
	for (i = 0; i < TRIES; i++) {
		if (send(fd[0], "x", 1, 0) != 1 || recv(fd[1], &c, 1, 0) != 1)
			return false;
		if (get_int(fd[1], SOL_SOCKET, SO_INCOMING_CPU) == cpu)
			return true;
	}
	return false;
}

/* Its knobs are the machine's, and so are those of its loopback device. */
static bool first_netns(void)
{
	int fd = open("/proc/1/ns/net", O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && !setns(fd, CLONE_NEWNET);

	if (fd >= 0)
		close(fd);
	return ok;
}

/*
 * Receive flow steering: packets are handled where their reader runs. The
 * table of flows is large: where data and their ACKs share an entry, either
 * takes it from the other and no stack follows.
 */
DIFF(rfs)
{
	int fd[2];

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return;
	TRUE(t, first_netns());
	TRUE(t, put("/proc/sys/net/core/rps_sock_flow_entries", "1048576"));
	TRUE(t, put("/sys/class/net/lo/queues/rx-0/rps_flow_cnt", "1024"));
	TRUE(t, put("/sys/class/net/lo/queues/rx-0/rps_cpus", "3"));
	pair(t, fd);
	TRUE(t, follows(fd, 1));
	TRUE(t, follows(fd, 0));
	TRUE(t, follows(fd, 1));
	TRUE(t, put("/sys/class/net/lo/queues/rx-0/rps_cpus", "0"));
	TRUE(t, put("/sys/class/net/lo/queues/rx-0/rps_flow_cnt", "0"));
	TRUE(t, put("/proc/sys/net/core/rps_sock_flow_entries", "0"));
}

/* Of two listeners on one port that one gets a connection whose CPU received the SYN. */
DIFF(incoming_cpu)
{
	struct addr a = { };
	int lsn[2], cpu, i, got;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return;
	addr_loop(t, &a, fixed_port(t));
	for (i = 0; i < 2; i++) {
		lsn[i] = sock(t);
		set_int(t, lsn[i], SOL_SOCKET, SO_REUSEPORT, 1);
		set_int(t, lsn[i], SOL_SOCKET, SO_INCOMING_CPU, i);
		OK(t, bind(lsn[i], &a.sa, a.len));
		OK(t, listen(lsn[i], 16));
	}
	for (i = 0; i < 16; i++) {
		struct pollfd p[2] = { { lsn[0], POLLIN, 0 }, { lsn[1], POLLIN, 0 } };
		int fd = sock(t);

		cpu = i / 2 % 2;
		TRUE(t, pin(cpu));
		OK(t, connect(fd, &a.sa, a.len));
		TRUE(t, poll(p, 2, DIFF_TIMEOUT_S * 1000) == 1);
		got = p[1].revents ? 1 : 0;
		note(t, "CPU %d: listener %d", cpu, got);
		OK(t, close(accept(lsn[got], NULL, NULL)));
		OK(t, close(fd));
	}
}

/* ---------------------------------------------------------------- backlog */

/* A counter of the stack under test in this namespace. */
static long counter(struct run *t, const char *name)
{
	FILE *f = fopen(t->xtcp ? "/proc/net/xtcp_netstat" : "/proc/net/netstat", "r");
	char names[16384], values[16384], *n, *v, *pn, *pv;
	long found = -1;

	while (f && found < 0 && fgets(names, sizeof(names), f) &&
	       fgets(values, sizeof(values), f)) {
		n = strtok_r(names, " \n", &pn);
		v = strtok_r(values, " \n", &pv);
		for (; n && v; n = strtok_r(NULL, " \n", &pn), v = strtok_r(NULL, " \n", &pv))
			if (!strcmp(n, name))
				found = atol(v);
	}
	if (f)
		fclose(f);
	return found;
}

struct stuck {
	int fd, flags;
	char *page;
	ssize_t got;
};

/* Its page comes when somebody provides it: till then this thread has the sock lock. */
static void *read_stuck(void *arg)
{
	struct stuck *s = arg;

	s->got = recv(s->fd, s->page, 4096, s->flags);
	return NULL;
}

static int fault_handler(char *page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = (unsigned long)page, .len = 4096 },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd >= 0 && (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

#define BACKLOG_SENDS	64
#define BACKLOG_SIZE	1000

/* What comes while somebody holds the lock is one segment, as far as it can be. */
DIFF(backlog)
{
	static char in[BACKLOG_SENDS * BACKLOG_SIZE], out[BACKLOG_SENDS * BACKLOG_SIZE];
	struct uffdio_zeropage zero = { };
	size_t sent, n = 0;
	struct stuck s = { };
	struct uffd_msg msg;
	pthread_t th;
	int fd[2], uffd;
	long before;

	s.page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uffd = fault_handler(s.page);
	if (uffd < 0) {
		note(t, "a kernel without userfaultfd");
		return;
	}
	/* segments of different milliseconds would be different */
	TRUE(t, put("/proc/sys/net/ipv4/tcp_timestamps", "0"));
	TRUE(t, put("/proc/sys/net/xtcp/tcp_timestamps", "0") || !t->xtcp);
	pair(t, fd);
	TRUE(t, put("/proc/sys/net/ipv4/tcp_timestamps", "1"));
	TRUE(t, put("/proc/sys/net/xtcp/tcp_timestamps", "1") || !t->xtcp);
	set_int(t, fd[0], IPPROTO_TCP, TCP_NODELAY, 1);
	if (t->xtcp)
		set_int(t, fd[0], SOL_XTCP, XTCP_ZEROCOPY, 1);
	s.fd = fd[1];
	IS(t, send(fd[0], "x", 1, 0), 1);
	await_bytes(fd[1], 1);
	before = counter(t, "TCPBacklogCoalesce");
	TRUE(t, before >= 0);
	OK(t, pthread_create(&th, NULL, read_stuck, &s));
	IS(t, read(uffd, &msg, sizeof(msg)), sizeof(msg));
	fill(out, sizeof(out), 7);
	for (sent = 0; sent < sizeof(out); sent += BACKLOG_SIZE)
		if (send(fd[0], out + sent, BACKLOG_SIZE, MSG_ZEROCOPY) != BACKLOG_SIZE)
			break;
	TRUE(t, sent == sizeof(out));
	/* on loopback segments are clones, which are not appended to; but not of a user's pages */
	TRUE(t, !t->xtcp || counter(t, "TCPBacklogCoalesce") > before);
	zero.range = (struct uffdio_range){ (unsigned long)s.page, 4096 };
	OK(t, ioctl(uffd, UFFDIO_ZEROPAGE, &zero));
	OK(t, pthread_join(th, NULL));
	/* the lock may have been let go before the thread had enough */
	TRUE(t, s.got >= 1 && s.page[0] == 'x');
	n = s.got - 1;
	memcpy(in, s.page + 1, n);
	while (n < sizeof(in)) {
		ssize_t got = recv(fd[1], in + n, sizeof(in) - n, 0);

		if (got <= 0)
			break;
		n += got;
	}
	note(t, "%zu bytes", n);
	TRUE(t, !memcmp(in, out, sizeof(in)));
}

#define ADDED_SIZE	300
#define ADDED_BACK	3	/* so many wait in the backlog */

/* Wait until the peer has acknowledged everything; how long that takes is not compared. */
static void await_acked(struct run *t, int fd)
{
	int i, left = 1;

	for (i = 0; i < TRIES && left; i++) {
		poll(NULL, 0, 1);
		if (ioctl(fd, TIOCOUTQ, &left))
			break;
	}
	IS(t, left, 0);
}

/*
 * A segment is read long after it was sent, and joined with others before and after it: what
 * was written meanwhile, behind its bytes in the send queue, is no part of it.
 */
DIFF(added_behind)
{
	static char in[(ADDED_BACK + 2) * ADDED_SIZE], out[sizeof(in)];
	struct uffdio_zeropage zero = { };
	struct stuck s = { .flags = MSG_PEEK };
	struct uffd_msg msg;
	const char *p = out;
	pthread_t th;
	int fd[2], uffd, i;

	s.page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uffd = fault_handler(s.page);
	if (uffd < 0) {
		note(t, "a kernel without userfaultfd");
		return;
	}
	pair(t, fd);
	set_int(t, fd[0], IPPROTO_TCP, TCP_NODELAY, 1);
	fill(out, sizeof(out), 9);
	s.fd = fd[1];
	IS(t, send(fd[0], p, ADDED_SIZE, 0), ADDED_SIZE);
	await_acked(t, fd[0]);
	OK(t, pthread_create(&th, NULL, read_stuck, &s));
	IS(t, read(uffd, &msg, sizeof(msg)), sizeof(msg));
	for (i = 0; i < ADDED_BACK; i++)
		IS(t, send(fd[0], p += ADDED_SIZE, ADDED_SIZE, 0), ADDED_SIZE);
	zero.range = (struct uffdio_range){ (unsigned long)s.page, 4096 };
	OK(t, ioctl(uffd, UFFDIO_ZEROPAGE, &zero));
	OK(t, pthread_join(th, NULL));
	await_acked(t, fd[0]);
	IS(t, send(fd[0], p += ADDED_SIZE, ADDED_SIZE, 0), ADDED_SIZE);
	await_acked(t, fd[0]);
	IS(t, recv(fd[1], in, sizeof(in), MSG_WAITALL), (ssize_t)sizeof(in));
	TRUE(t, !memcmp(in, out, sizeof(in)));
}

/* --------------------------------------------------------------- wake-ups */

/* Who found room to write is not woken again by every ACK (edge-triggered epoll). */
DIFF(ack_wakes_nobody)
{
	struct epoll_event e = { .events = EPOLLOUT | EPOLLET };
	int fd[2], ep, i, out, extra = 0;
	char c;

	pair(t, fd);
	ep = epoll_create1(0);
	OK(t, epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &e));
	IS(t, epoll_wait(ep, &e, 1, DIFF_TIMEOUT_S * 1000), 1);
	for (i = 0; i < 50; i++) {
		if (send(fd[0], "x", 1, 0) != 1 || recv(fd[1], &c, 1, 0) != 1)
			break;
		for (out = 1; out; poll(NULL, 0, out ? 1 : 0))
			if (ioctl(fd[0], TIOCOUTQ, &out))
				break;
		extra += epoll_wait(ep, &e, 1, 0);
	}
	note(t, "%d bytes, %d events", i, extra);
}

DIFF_MAIN
