// SPDX-License-Identifier: GPL-2.0
/* Ending: shutdown halves, SIGPIPE, SO_LINGER, time limits, what remains. */
#include <kselftest_harness.h>
#include <linux/sockios.h>
#include <sys/time.h>

#include "diff.h"

DIFF_FIXTURE()

DIFF(half_close)
{
	char buf[16];
	int fd[2];

	pair(t, fd);
	IS(t, send(fd[0], "question", 8, 0), 8);
	OK(t, shutdown(fd[0], SHUT_WR));
	FAILS(t, send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	await(fd[1], POLLRDHUP);
	IS(t, recv(fd[1], buf, 16, MSG_WAITALL), 8);
	IS(t, recv(fd[1], buf, 16, 0), 0);
	IS(t, recv(fd[1], buf, 16, 0), 0);
	/* The other direction still works (SEEDS 0-11). */
	IS(t, send(fd[1], "answer", 6, 0), 6);
	OK(t, close(fd[1]));
	IS(t, recv(fd[0], buf, 16, MSG_WAITALL), 6);
	IS(t, recv(fd[0], buf, 16, 0), 0);
	CALL(t, shutdown(fd[0], SHUT_WR));
	CALL(t, shutdown(fd[0], SHUT_RDWR));
	note_mask(t, "in the end", fd[0]);
	FAILS(t, send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	buf[0] = get_int(fd[0], SOL_SOCKET, SO_ERROR);
	IS(t, buf[0], 0);
}

DIFF(shutdown_repeated)
{
	struct addr a = { .len = sizeof(a.ss) };
	int fd[2], how;

	pair(t, fd);
	for (how = 0; how < 3; how++) {
		CALL(t, shutdown(fd[0], how));
		CALL(t, shutdown(fd[0], how));
	}
	CALL(t, getpeername(fd[0], &a.sa, &a.len));
	CALL(t, shutdown(fd[0], 3));
	settle(t, "peer", fd[1], POLLRDHUP);
	CALL(t, shutdown(fd[1], SHUT_RDWR));
	settle(t, "both", fd[0], POLLHUP);
	await_state(fd[0], TCP_CLOSE);
	await_state(fd[1], TCP_CLOSE);
	CALL(t, shutdown(fd[0], SHUT_RDWR));
	CALL(t, shutdown(fd[1], SHUT_RDWR));
	a.len = sizeof(a.ss);
	CALL(t, getpeername(fd[1], &a.sa, &a.len));
}

static volatile sig_atomic_t pipes;

static void on_pipe(int sig)
{
	pipes += sig == SIGPIPE;
}

DIFF(sigpipe)
{
	struct iovec io = { "x", 1 };
	struct msghdr msg = { .msg_iov = &io, .msg_iovlen = 1 };
	int fd[2];

	pair(t, fd);
	signal(SIGPIPE, on_pipe);
	OK(t, shutdown(fd[0], SHUT_WR));
	FAILS(t, send(fd[0], "x", 1, 0), EPIPE);
	IS(t, pipes, 1);
	FAILS(t, write(fd[0], "x", 1), EPIPE);
	IS(t, pipes, 2);
	FAILS(t, sendmsg(fd[0], &msg, 0), EPIPE);
	IS(t, pipes, 3);
	FAILS(t, send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	IS(t, pipes, 3);
	CALL(t, send(fd[0], "", 0, 0));
	note(t, "signals %d", (int)pipes);
}

DIFF(sigpipe_kills)
{
	int fd[2], status;
	pid_t pid;

	pair(t, fd);
	OK(t, shutdown(fd[0], SHUT_WR));
	pid = fork();
	if (!pid) {
		signal(SIGPIPE, SIG_DFL);
		_exit(send(fd[0], "x", 1, 0) == 1 ? 0 : 1);
	}
	TRUE(t, waitpid(pid, &status, 0) == pid);
	TRUE(t, WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
}

DIFF(write_after_reset)
{
	struct linger now = { .l_onoff = 1 };
	char x;
	int fd[2];

	pair(t, fd);
	OK(t, setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	OK(t, close(fd[0]));
	await(fd[1], POLLHUP);
	/* The first write takes the pending error, the second is EPIPE. */
	FAILS(t, send(fd[1], "x", 1, MSG_NOSIGNAL), ECONNRESET);
	FAILS(t, send(fd[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	IS(t, recv(fd[1], &x, 1, 0), 0);
	CALL(t, shutdown(fd[1], SHUT_WR));
	CALL(t, shutdown(fd[1], SHUT_RD));
}

DIFF(error_fetched_once)
{
	struct linger now = { .l_onoff = 1 };
	char x;
	int fd[2];

	pair(t, fd);
	OK(t, setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	OK(t, close(fd[0]));
	await(fd[1], POLLHUP);
	IS(t, get_int(fd[1], SOL_SOCKET, SO_ERROR), ECONNRESET);
	IS(t, get_int(fd[1], SOL_SOCKET, SO_ERROR), 0);
	IS(t, recv(fd[1], &x, 1, 0), 0);
	FAILS(t, send(fd[1], "x", 1, MSG_NOSIGNAL), EPIPE);
}

/* close() with unread data resets (RFC 2525 2.17, SEEDS X-7). */
DIFF(close_unread)
{
	char buf[8];
	int fd[2];

	pair(t, fd);
	IS(t, send(fd[0], "unread", 6, 0), 6);
	await(fd[1], POLLIN);
	IS(t, send(fd[1], "reply", 5, 0), 5);
	await(fd[0], POLLIN);
	OK(t, close(fd[1]));
	settle(t, "reset", fd[0], POLLERR);
	/* What had arrived before is discarded or readable: as Linux has it. */
	CALL(t, recv(fd[0], buf, 8, 0));
	CALL(t, recv(fd[0], buf, 8, 0));
	CALL(t, recv(fd[0], buf, 8, 0));
}

/* Data to a socket whose reader has closed: RST (SEEDS X-8). */
DIFF(send_to_closed)
{
	char buf[8];
	int fd[2];

	pair(t, fd);
	OK(t, close(fd[1]));
	settle(t, "FIN", fd[0], POLLRDHUP);
	IS(t, recv(fd[0], buf, 8, 0), 0);
	IS(t, send(fd[0], "late", 4, 0), 4);
	settle(t, "RST", fd[0], POLLERR);
	CALL(t, get_int(fd[0], SOL_SOCKET, SO_ERROR));
	FAILS(t, send(fd[0], "late", 4, MSG_NOSIGNAL), EPIPE);
}

DIFF(linger_option)
{
	static const int wild[][2] = { { 0, 5 }, { 1, 0 }, { 1, 7 }, { 1, -1 },
				       { 2, 100000 }, { -1, 1 }, { 1, 0x7fffffff } };
	struct linger l;
	socklen_t len;
	int s = sock(t);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wild); i++) {
		l.l_onoff = wild[i][0];
		l.l_linger = wild[i][1];
		CALL(t, setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
		len = sizeof(l);
		OK(t, getsockopt(s, SOL_SOCKET, SO_LINGER, &l, &len));
		note(t, "linger %d %d len %u", l.l_onoff, l.l_linger, len);
	}
	CALL(t, setsockopt(s, SOL_SOCKET, SO_LINGER, &l, 4));
	len = 4;
	CALL(t, getsockopt(s, SOL_SOCKET, SO_LINGER, &l, &len));
	note(t, "len %u", len);
}

/* Fills the way to a reader that does not read; returns the bytes in it. */
static long stuff(int fd)
{
	static char buf[65536];
	long n, sum = 0;

	while ((n = send(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		sum += n;
	return sum;
}

DIFF(linger_timeout)
{
	struct linger l = { .l_onoff = 1, .l_linger = 1 };
	double start;
	int fd[2];

	pair(t, fd);
	TRUE(t, stuff(fd[0]) > 0);
	OK(t, setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	start = now_s();
	OK(t, close(fd[0]));
	TRUE(t, now_s() - start >= 0.9);
	TRUE(t, now_s() - start < 5);
	OK(t, close(fd[1]));
}

DIFF(linger_quick)
{
	struct linger l = { .l_onoff = 1, .l_linger = 30 };
	double start = now_s();
	char buf[8];
	int fd[2];

	/* The FIN is acknowledged at once, so close() does not wait. */
	pair(t, fd);
	OK(t, setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	IS(t, send(fd[0], "last", 4, 0), 4);
	OK(t, close(fd[0]));
	TRUE(t, now_s() - start < 10);
	IS(t, recv(fd[1], buf, 8, MSG_WAITALL), 4);
}

DIFF(linger_nonblock)
{
	struct linger l = { .l_onoff = 1, .l_linger = 30 };
	double start = now_s();
	int fd[2];

	pair(t, fd);
	TRUE(t, stuff(fd[0]) > 0);
	OK(t, setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	OK(t, shutdown(fd[0], SHUT_WR));
	note_mask(t, "lingering", fd[0]);
	TRUE(t, now_s() - start < 10);
	OK(t, close(fd[1]));
}

DIFF(timeout_options)
{
	static const long wild[][2] = { { 0, 0 }, { 1, 500000 }, { 0, 1 }, { -1, 0 },
					{ 0, -1 }, { 0, 1000000 }, { 0x7fffffffffffffffL, 0 } };
	static const int opts[] = { SO_RCVTIMEO, SO_SNDTIMEO };
	struct timeval tv;
	socklen_t len;
	int s = sock(t);
	size_t i, o;

	for (o = 0; o < 2; o++) {
		for (i = 0; i < ARRAY_SIZE(wild); i++) {
			tv.tv_sec = wild[i][0];
			tv.tv_usec = wild[i][1];
			note(t, "%ld.%06ld", tv.tv_sec, tv.tv_usec);
			CALL(t, setsockopt(s, SOL_SOCKET, opts[o], &tv, sizeof(tv)));
			len = sizeof(tv);
			OK(t, getsockopt(s, SOL_SOCKET, opts[o], &tv, &len));
			note(t, "%ld.%06ld len %u", tv.tv_sec, tv.tv_usec, len);
		}
		FAILS(t, setsockopt(s, SOL_SOCKET, opts[o], &tv, 8), EINVAL);
	}
}

DIFF(receive_timeout)
{
	struct timeval tv = { .tv_usec = 100000 };
	double start = now_s();
	char buf[8];
	int fd[2];

	pair(t, fd);
	OK(t, setsockopt(fd[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	FAILS(t, recv(fd[1], buf, 8, 0), EAGAIN);
	TRUE(t, now_s() - start >= 0.08);
	IS(t, send(fd[0], "abc", 3, 0), 3);
	await(fd[1], POLLIN);
	IS(t, recv(fd[1], buf, 8, MSG_WAITALL), 3);
	start = now_s();
	FAILS(t, recv(fd[1], buf, 8, MSG_WAITALL), EAGAIN);
	TRUE(t, now_s() - start >= 0.08);
}

DIFF(send_timeout)
{
	static char buf[4 << 20];
	struct timeval tv = { .tv_usec = 200000 };
	double start;
	int fd[2];

	pair(t, fd);
	set_int(t, fd[0], SOL_SOCKET, SO_SNDBUF, 16384);
	set_int(t, fd[1], SOL_SOCKET, SO_RCVBUF, 16384);
	OK(t, setsockopt(fd[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	start = now_s();
	/* Part of it goes; the next finds no room at all. */
	TRUE(t, send(fd[0], buf, sizeof(buf), 0) > 0);
	TRUE(t, now_s() - start >= 0.15);
	FAILS(t, send(fd[0], buf, 1 << 20, 0), EAGAIN);
}

static void on_alarm(int sig)
{
	(void)sig;
}

DIFF(interrupted)
{
	struct itimerval soon = { .it_value.tv_usec = 50000 };
	struct sigaction sa = { .sa_handler = on_alarm };
	struct addr a = { .len = 0 };
	char buf[8];
	int fd[2];

	pair(t, fd);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	FAILS(t, recv(fd[1], buf, 8, 0), EINTR);
	setitimer(ITIMER_REAL, &soon, NULL);
	FAILS(t, accept(listener(t, &a, 1), NULL, NULL), EINTR);
	IS(t, send(fd[0], "abc", 3, 0), 3);
	setitimer(ITIMER_REAL, &soon, NULL);
	IS(t, recv(fd[1], buf, 8, MSG_WAITALL), 3);
}

struct blocked {
	int fd;
	long ret;
	int error;
};

static void *block_in_recv(void *arg)
{
	struct blocked *b = arg;
	char c;

	errno = 0;
	b->ret = recv(b->fd, &c, 1, 0);
	b->error = errno;
	return NULL;
}

static void *block_in_accept(void *arg)
{
	struct blocked *b = arg;

	errno = 0;
	b->ret = accept(b->fd, NULL, NULL);
	b->error = errno;
	return NULL;
}

/* shutdown() by one thread wakes another that sleeps in recv() or accept(). */
DIFF(shutdown_wakes)
{
	struct blocked b[3] = { };
	struct addr a = { .len = 0 };
	pthread_t th[3];
	int fd[2], i;

	pair(t, fd);
	b[0].fd = fd[0];
	b[1].fd = fd[1];
	b[2].fd = listener(t, &a, 1);
	for (i = 0; i < 3; i++)
		OK(t, pthread_create(&th[i], NULL, i < 2 ? block_in_recv : block_in_accept,
				     &b[i]));
	OK(t, shutdown(fd[0], SHUT_RDWR));
	OK(t, shutdown(b[2].fd, SHUT_RD));
	for (i = 0; i < 3; i++) {
		OK(t, pthread_join(th[i], NULL));
		note(t, "%d: %ld %s", i, b[i].ret, errno_text(b[i].error));
	}
}

DIFF(close_wakes_peer)
{
	struct blocked b = { };
	pthread_t th;
	int fd[2];

	pair(t, fd);
	b.fd = fd[1];
	OK(t, pthread_create(&th, NULL, block_in_recv, &b));
	OK(t, close(fd[0]));
	OK(t, pthread_join(th, NULL));
	note(t, "%ld %s", b.ret, errno_text(b.error));
}

/* The process dies: FIN when all was read, RST when not (SEEDS 4-118). */
DIFF(killed)
{
	int fd[2], unread;
	char c;
	pid_t pid;

	for (unread = 0; unread < 2; unread++) {
		pair(t, fd);
		if (unread)
			IS(t, send(fd[0], "x", 1, 0), 1);
		pid = fork();
		if (!pid) {
			close(fd[0]);
			pause();
			_exit(0);
		}
		if (unread)
			await(fd[1], POLLIN);
		OK(t, close(fd[1]));
		note_mask(t, "the child holds it", fd[0]);
		OK(t, kill(pid, SIGKILL));
		TRUE(t, waitpid(pid, NULL, 0) == pid);
		settle(t, "killed", fd[0], unread ? POLLERR : POLLRDHUP);
		CALL(t, recv(fd[0], &c, 1, 0));
		OK(t, close(fd[0]));
	}
}

DIFF_MAIN
