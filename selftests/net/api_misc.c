// SPDX-License-Identifier: GPL-2.0
/*
 * What else programs do with a socket: fork, exec, pass it on, io_uring, dup,
 * odd ioctls; and what struct tcp_info tells.
 */
#include <kselftest_harness.h>
#include <linux/io_uring.h>
#include <linux/sockios.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "diff.h"

DIFF_FIXTURE()

DIFF(fork_shares)
{
	char buf[8] = "";
	int fd[2], status;
	pid_t pid;

	pair(t, fd);
	pid = fork();
	if (!pid) {
		close(fd[1]);
		_exit(send(fd[0], "child", 5, 0) != 5);
	}
	TRUE(t, waitpid(pid, &status, 0) == pid);
	IS(t, status, 0);
	/* The child's copy is closed, ours keeps the connection open. */
	IS(t, recv(fd[1], buf, 5, MSG_WAITALL), 5);
	note(t, "%s", buf);
	IS(t, send(fd[0], "parent", 6, 0), 6);
	IS(t, recv(fd[1], buf, 6, MSG_WAITALL), 6);
	OK(t, close(fd[0]));
	IS(t, recv(fd[1], buf, 1, 0), 0);
}

DIFF(dup_shares)
{
	int fd[2], d;
	char buf[8];

	pair(t, fd);
	d = dup(fd[0]);
	OK(t, close(fd[0]));
	IS(t, send(d, "x", 1, 0), 1);
	IS(t, recv(fd[1], buf, 1, 0), 1);
	OK(t, fcntl(d, F_SETFL, O_NONBLOCK));
	FAILS(t, recv(d, buf, 1, 0), EAGAIN);
	OK(t, close(d));
	settle(t, "peer", fd[1], POLLRDHUP);
}

/* The server of inetd: descriptors 0 and 1 of another program. */
DIFF(exec_inherits)
{
	char buf[32] = "";
	int fd[2], status;
	pid_t pid;

	pair(t, fd);
	pid = fork();
	if (!pid) {
		dup2(fd[1], 0);
		dup2(fd[1], 1);
		close(fd[0]);
		close(fd[1]);
		execlp("sh", "sh", "-c", "read line; echo \"got $line\"", NULL);
		_exit(127);
	}
	OK(t, close(fd[1]));
	IS(t, send(fd[0], "hello\n", 6, 0), 6);
	IS(t, recv(fd[0], buf, 10, MSG_WAITALL), 10);
	note(t, "%s", buf);
	TRUE(t, waitpid(pid, &status, 0) == pid);
	IS(t, status, 0);
	IS(t, recv(fd[0], buf, 1, 0), 0);
}

DIFF(exec_closes)
{
	int fd[2];
	pid_t pid;

	pair(t, fd);
	OK(t, fcntl(fd[1], F_SETFD, FD_CLOEXEC));
	pid = fork();
	if (!pid) {
		close(fd[0]);
		execlp("sleep", "sleep", "100", NULL);
		_exit(127);
	}
	OK(t, close(fd[1]));
	settle(t, "closed by exec", fd[0], POLLRDHUP);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void pass(int unix_fd, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = { };
	struct iovec io = { "x", 1 };
	struct msghdr msg = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = &u,
			      .msg_controllen = sizeof(u) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	sendmsg(unix_fd, &msg, 0);
}

static int take(int unix_fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = { };
	char x;
	struct iovec io = { &x, 1 };
	struct msghdr msg = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = &u,
			      .msg_controllen = sizeof(u) };
	int fd = -1;

	if (recvmsg(unix_fd, &msg, 0) == 1 && CMSG_FIRSTHDR(&msg))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return fd;
}

DIFF(passed_on)
{
	int u[2], fd[2], got, status;
	char c;
	pid_t pid;

	pair(t, fd);
	OK(t, socketpair(AF_UNIX, SOCK_STREAM, 0, u));
	pid = fork();
	if (!pid) {
		close(fd[0]);
		close(fd[1]);
		got = take(u[1]);
		_exit(send(got, "p", 1, 0) != 1);
	}
	pass(u[0], fd[0]);
	OK(t, close(fd[0]));
	IS(t, recv(fd[1], &c, 1, 0), 1);
	TRUE(t, waitpid(pid, &status, 0) == pid);
	IS(t, status, 0);
	/* In flight in a UNIX socket that dies: the connection ends. */
	pair(t, fd);
	pass(u[0], fd[0]);
	OK(t, close(fd[0]));
	OK(t, close(u[0]));
	OK(t, close(u[1]));
	settle(t, "peer of the lost one", fd[1], POLLRDHUP);
}

struct ring {
	int fd;
	unsigned int *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_mask;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
};

static bool ring_make(struct ring *r)
{
	struct io_uring_params p = { };
	char *sq, *cq;

	r->fd = syscall(__NR_io_uring_setup, 4, &p);
	if (r->fd < 0)
		return false;
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE,
		  MAP_SHARED, r->fd, IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(*r->cqe),
		  PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_CQ_RING);
	r->sqe = mmap(NULL, p.sq_entries * sizeof(*r->sqe), PROT_READ | PROT_WRITE,
		      MAP_SHARED, r->fd, IORING_OFF_SQES);
	r->sq_tail = (unsigned int *)(sq + p.sq_off.tail);
	r->sq_mask = (unsigned int *)(sq + p.sq_off.ring_mask);
	r->sq_array = (unsigned int *)(sq + p.sq_off.array);
	r->cq_head = (unsigned int *)(cq + p.cq_off.head);
	r->cq_mask = (unsigned int *)(cq + p.cq_off.ring_mask);
	r->cqe = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	return true;
}

/* Submits one request and waits for its result. */
static int ring_do(struct ring *r, int op, int fd, const void *buf, unsigned int len,
		   unsigned long long off)
{
	unsigned int slot = *r->sq_tail & *r->sq_mask;
	struct io_uring_sqe *e = &r->sqe[slot];
	int res;

	memset(e, 0, sizeof(*e));
	e->opcode = op;
	e->fd = fd;
	e->addr = (unsigned long)buf;
	e->len = len;
	e->off = off;
	r->sq_array[slot] = slot;
	__atomic_store_n(r->sq_tail, *r->sq_tail + 1, __ATOMIC_RELEASE);
	if (syscall(__NR_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return -errno;
	res = r->cqe[*r->cq_head & *r->cq_mask].res;
	__atomic_store_n(r->cq_head, *r->cq_head + 1, __ATOMIC_RELEASE);
	return res;
}

DIFF(uring)
{
	struct addr a = { .len = 0 };
	int l = listener(t, &a, 2), s = sock(t), c;
	struct ring r;
	char buf[16] = "";

	signal(SIGPIPE, SIG_IGN);
	if (!ring_make(&r)) {
		note(t, "no io_uring here: %s", errno_text(errno));
		return;
	}
	IS(t, ring_do(&r, IORING_OP_CONNECT, s, &a.sa, 0, a.len), 0);
	c = ring_do(&r, IORING_OP_ACCEPT, l, NULL, 0, 0);
	TRUE(t, c >= 0);
	IS(t, ring_do(&r, IORING_OP_WRITE, s, "written", 7, 0), 7);
	IS(t, ring_do(&r, IORING_OP_READ, c, buf, 7, 0), 7);
	note(t, "%s", buf);
	IS(t, ring_do(&r, IORING_OP_SEND, c, "sent", 4, 0), 4);
	IS(t, ring_do(&r, IORING_OP_RECV, s, buf, 16, 0), 4);
	IS(t, ring_do(&r, IORING_OP_SHUTDOWN, s, NULL, SHUT_WR, 0), 0);
	IS(t, ring_do(&r, IORING_OP_READ, c, buf, 7, 0), 0);
	IS(t, ring_do(&r, IORING_OP_WRITE, s, "x", 1, 0), -EPIPE);
	IS(t, ring_do(&r, IORING_OP_CONNECT, c, &a.sa, 0, a.len), -EISCONN);
	IS(t, ring_do(&r, IORING_OP_CLOSE, c, NULL, 0, 0), 0);
}

/* Every ioctl number that sockets and files might know, with nothing in it. */
DIFF(ioctls)
{
	static const unsigned int ranges[][2] = { { 0x5400, 0x5480 }, { 0x8900, 0x89ef },
						  { 0x8b00, 0x8b20 }, { 0, 8 } };
	char zero[256];
	unsigned int i, n;
	int fd[2];

	pair(t, fd);
	/* Without privilege: the device ioctls would look for modules. */
	OK(t, seteuid(65534));
	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		for (n = ranges[i][0]; n <= ranges[i][1]; n++) {
			memset(zero, 0, sizeof(zero));
			errno = 0;
			note(t, "%x: %d %s", n, ioctl(fd[0], n, zero), errno_text(errno));
			errno = 0;
			note(t, "%x NULL: %d %s", n, ioctl(fd[0], n, NULL), errno_text(errno));
		}
	}
	OK(t, seteuid(0));
	fcntl(fd[0], F_SETFL, 0);
	IS(t, send(fd[0], "x", 1, 0), 1);
	IS(t, recv(fd[1], zero, 1, 0), 1);
}

DIFF(file_calls)
{
	struct stat st;
	int fd[2];

	pair(t, fd);
	OK(t, fstat(fd[0], &st));
	TRUE(t, S_ISSOCK(st.st_mode));
	TRUE(t, st.st_ino > 0);
	CALL(t, fchmod(fd[0], 0600));
	CALL(t, fallocate(fd[0], 0, 0, 10));
	CALL(t, posix_fadvise(fd[0], 0, 0, POSIX_FADV_NORMAL));
	CALL(t, lseek(fd[0], 1, SEEK_CUR));
	FAILS(t, ioctl(fd[0], 0xdeadbeef, &st), ENOTTY);
	CALL(t, socketpair(t->xtcp ? AF_XTCP : AF_INET, SOCK_STREAM, 0, fd));
}

static void info(struct run *t, int fd, struct tcp_info *i)
{
	socklen_t len = sizeof(*i);

	memset(i, 0, sizeof(*i));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, i, &len))
		note(t, "TCP_INFO: %s", errno_text(errno));
}

DIFF(info_states)
{
	struct addr a = { .len = 0 };
	struct tcp_info i;
	int l, s = sock(t), c;
	char x;

	info(t, s, &i);
	IS(t, i.tcpi_state, TCP_CLOSE);
	l = listener(t, &a, 3);
	info(t, l, &i);
	IS(t, i.tcpi_state, TCP_LISTEN);
	/* On a listener: connections waiting, and how many may. */
	note(t, "waiting %u limit %u", i.tcpi_unacked, i.tcpi_sacked);
	OK(t, connect(s, &a.sa, a.len));
	await(l, POLLIN);
	info(t, l, &i);
	note(t, "waiting %u limit %u", i.tcpi_unacked, i.tcpi_sacked);
	c = accept(l, NULL, NULL);
	info(t, c, &i);
	IS(t, i.tcpi_state, TCP_ESTABLISHED);
	OK(t, shutdown(s, SHUT_WR));
	await(c, POLLRDHUP);
	info(t, c, &i);
	IS(t, i.tcpi_state, TCP_CLOSE_WAIT);
	IS(t, recv(c, &x, 1, 0), 0);
	do
		info(t, s, &i);
	while (i.tcpi_state == TCP_FIN_WAIT1 && poll(NULL, 0, 1) == 0);
	IS(t, i.tcpi_state, TCP_FIN_WAIT2);
	OK(t, close(c));
	settle(t, "both closed", s, POLLHUP);
	info(t, s, &i);
	IS(t, i.tcpi_state, TCP_CLOSE);
}

DIFF(info_values)
{
	static char buf[100000];
	struct tcp_info i;
	int fd[2];

	pair(t, fd);
	info(t, fd[0], &i);
	note(t, "options %x snd_wscale %u rcv_wscale %u ca_state %u", i.tcpi_options,
	     i.tcpi_snd_wscale, i.tcpi_rcv_wscale, i.tcpi_ca_state);
	note(t, "advmss %u pmtu %u", i.tcpi_advmss, i.tcpi_pmtu);
	/* Loopback's MSS fills the first window; Linux halves it then. */
	TRUE(t, i.tcpi_snd_mss <= i.tcpi_advmss && i.tcpi_snd_mss >= i.tcpi_advmss / 2);
	note(t, "unacked %u sacked %u lost %u retrans %u fackets %u total_retrans %u",
	     i.tcpi_unacked, i.tcpi_sacked, i.tcpi_lost, i.tcpi_retrans, i.tcpi_fackets,
	     i.tcpi_total_retrans);
	note(t, "cwnd %u reordering %u backoff %u probes %u retransmits %u", i.tcpi_snd_cwnd,
	     i.tcpi_reordering, i.tcpi_backoff, i.tcpi_probes, i.tcpi_retransmits);
	TRUE(t, i.tcpi_rto >= 200000 && i.tcpi_rto <= 1000000);
	TRUE(t, i.tcpi_rtt > 0 && i.tcpi_rtt < 500000);
	IS(t, send(fd[0], buf, sizeof(buf), 0), sizeof(buf));
	IS(t, recv(fd[1], buf, sizeof(buf), MSG_WAITALL), sizeof(buf));
	do
		info(t, fd[0], &i);
	while (i.tcpi_unacked && poll(NULL, 0, 1) == 0);
	/* The SYN may be counted in. */
	TRUE(t, i.tcpi_bytes_acked - sizeof(buf) <= 1);
	/* a slow machine may send some of it twice */
	TRUE(t, i.tcpi_bytes_sent - i.tcpi_bytes_retrans == sizeof(buf));
	IS(t, i.tcpi_notsent_bytes, 0);
	TRUE(t, i.tcpi_data_segs_out >= 2 && i.tcpi_segs_out >= i.tcpi_data_segs_out);
	TRUE(t, i.tcpi_last_data_sent < 60000);
	/* All of it and the SYN; a segment sent twice may be counted once or twice. */
	TRUE(t, i.tcpi_delivered > i.tcpi_data_segs_out - i.tcpi_total_retrans &&
	     i.tcpi_delivered <= i.tcpi_data_segs_out + 1);
	info(t, fd[1], &i);
	IS(t, i.tcpi_bytes_received, sizeof(buf));
	TRUE(t, i.tcpi_data_segs_in >= 2 && i.tcpi_segs_in >= i.tcpi_data_segs_in);
	TRUE(t, i.tcpi_rcv_space > 0 && i.tcpi_rcv_ssthresh > 0);
	IS(t, i.tcpi_rcv_ooopack, 0);
	/* Time passes while there is something to send: the peer's window is full. */
	while (send(fd[0], buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	do
		info(t, fd[0], &i);
	while (!i.tcpi_busy_time && poll(NULL, 0, 1) == 0);
	TRUE(t, i.tcpi_busy_time < 60000000);
}

DIFF(info_lengths)
{
	static const int lens[] = { 0, 1, 2, 8, 104, 192, 232, 1024, -1 };
	unsigned char buf[1024];
	socklen_t len;
	int fd[2];
	size_t n;

	pair(t, fd);
	for (n = 0; n < ARRAY_SIZE(lens); n++) {
		memset(buf, 0, sizeof(buf));
		len = lens[n];
		CALL(t, getsockopt(fd[0], IPPROTO_TCP, TCP_INFO, buf, &len));
		note(t, "length %d -> %d state %u", lens[n], (int)len, buf[0]);
	}
	CALL(t, setsockopt(fd[0], IPPROTO_TCP, TCP_INFO, buf, sizeof(buf)));
}

/* TCP_MAXSEG before connect() bounds what is announced and sent. */
DIFF(maxseg)
{
	struct addr a = { .len = 0 };
	int l, s = sock(t), c;
	struct tcp_info i;

	l = listener(t, &a, 1);
	set_int(t, s, IPPROTO_TCP, TCP_MAXSEG, 700);
	OK(t, connect(s, &a.sa, a.len));
	c = accept(l, NULL, NULL);
	CALL(t, get_int(s, IPPROTO_TCP, TCP_MAXSEG));
	CALL(t, get_int(c, IPPROTO_TCP, TCP_MAXSEG));
	info(t, c, &i);
	note(t, "snd_mss %u advmss %u", i.tcpi_snd_mss, i.tcpi_advmss);
	info(t, s, &i);
	note(t, "snd_mss %u advmss %u", i.tcpi_snd_mss, i.tcpi_advmss);
}

DIFF(defer_accept)
{
	struct addr a = { .len = 0 };
	int l = listener(t, &a, 2), s = sock(t), c;
	char x;

	OK(t, fcntl(l, F_SETFL, O_NONBLOCK));
	set_int(t, l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5);
	OK(t, connect(s, &a.sa, a.len));
	FAILS(t, accept(l, NULL, NULL), EAGAIN);
	note_mask(t, "nothing said", l);
	IS(t, send(s, "x", 1, 0), 1);
	settle(t, "data came", l, POLLIN);
	c = accept(l, NULL, NULL);
	IS(t, recv(c, &x, 1, MSG_DONTWAIT), 1);
}

static int ulimit_files(int n)
{
	struct rlimit limit = { n, n };

	return setrlimit(RLIMIT_NOFILE, &limit);
}

DIFF(too_many_files)
{
	struct addr a = { .len = 0 };
	int l = listener(t, &a, 8), s = sock(t), spare[64], n, c;

	OK(t, connect(s, &a.sa, a.len));
	await(l, POLLIN);
	for (n = 0; n < 64; n++)
		spare[n] = -1;
	CALL(t, ulimit_files(64));
	for (n = 0; n < 64 && (spare[n] = dup(l)) >= 0; n++)
		;
	FAILS(t, accept(l, NULL, NULL), EMFILE);
	close(spare[0]);
	/* The connection was not lost (SEEDS 4-10). */
	c = accept(l, NULL, NULL);
	TRUE(t, c >= 0);
	IS(t, send(s, "x", 1, 0), 1);
	IS(t, recv(c, &a, 1, 0), 1);
}

DIFF_MAIN
