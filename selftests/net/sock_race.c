// SPDX-License-Identifier: GPL-2.0
/*
 * Calls that race: two threads of a process, or two processes, use one socket
 * in ways that end what the other waits for. Nothing may hang, crash, lose a
 * byte that was promised or leave something behind; what is returned must be
 * among what Linux returns.
 */
#include "kselftest_harness.h"
#include "diff.h"

DIFF_FIXTURE()

#define ROUNDS	40

struct side {
	int fd;
	bool go;
	long bytes;
	int error;	/* the last errno */
};

static void *sender(void *arg)
{
	struct side *s = arg;
	char buf[5000];
	ssize_t n;

	fill(buf, sizeof(buf), 1);
	while ((n = send(s->fd, buf, sizeof(buf), MSG_NOSIGNAL)) > 0)
		s->bytes += n;
	s->error = errno;
	return NULL;
}

static void *receiver(void *arg)
{
	struct side *s = arg;
	char buf[3000];
	ssize_t n;

	while ((n = recv(s->fd, buf, sizeof(buf), 0)) > 0)
		s->bytes += n;
	s->error = n ? errno : 0;
	return NULL;
}

static bool one_of(int error, const int *set)
{
	for (; *set != -1; set++)
		if (error == *set)
			return true;
	return false;
}

/* Threads send and receive on both ends; a third shuts one end down in the midst of it. */
DIFF(shutdown_midway)
{
	static const int sent[] = { EPIPE, ECONNRESET, -1 }, got[] = { 0, ECONNRESET, -1 };
	static const int how[] = { SHUT_WR, SHUT_RDWR };
	int i, fd[2], strange = 0;

	for (i = 0; i < ROUNDS; i++) {
		struct side s[2], r[2];
		pthread_t th[4];
		int k;

		pair(t, fd);
		for (k = 0; k < 2; k++) {
			s[k] = (struct side){ .fd = fd[k] };
			r[k] = (struct side){ .fd = fd[k] };
			pthread_create(&th[k], NULL, sender, &s[k]);
			pthread_create(&th[2 + k], NULL, receiver, &r[k]);
		}
		for (k = 0; k < i % 7; k++)
			sched_yield();
		shutdown(fd[0], how[i & 1]);
		shutdown(fd[1], SHUT_WR);
		for (k = 0; k < 4; k++)
			pthread_join(th[k], NULL);
		for (k = 0; k < 2; k++)
			strange += !one_of(s[k].error, sent) || !one_of(r[k].error, got);
		/* a clean half-close loses nothing */
		if (how[i & 1] == SHUT_WR)
			strange += r[1].bytes != s[0].bytes || r[0].bytes != s[1].bytes;
		close(fd[0]);
		close(fd[1]);
	}
	IS(t, strange, 0);
}

/* connect(AF_UNSPEC) under threads that send and receive, then the socket is used again. */
DIFF(disconnect_midway)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int lfd, fd = sock(t), i, strange = 0;
	struct addr a;

	addr_loop(t, &a, 0);
	lfd = listener(t, &a, 5);
	for (i = 0; i < ROUNDS; i++) {
		struct side s = { .fd = fd }, r = { .fd = fd };
		pthread_t th[2];
		char buf[4] = "";
		int peer, k;

		if (connect(fd, &a.sa, a.len)) {
			note(t, "round %d: connect: %s", i, errno_text(errno));
			return;
		}
		peer = accept(lfd, NULL, NULL);
		pthread_create(&th[0], NULL, sender, &s);
		pthread_create(&th[1], NULL, receiver, &r);
		for (k = 0; k < i % 5; k++)
			sched_yield();
		if (i % 3)
			send(peer, "abc", 3, MSG_NOSIGNAL);
		connect(fd, &none, sizeof(none));
		for (k = 0; k < 2; k++)
			pthread_join(th[k], NULL);
		close(peer);
		get_int(fd, SOL_SOCKET, SO_ERROR);
		/* nothing of the old connection may be in the new one */
		strange += connect(fd, &a.sa, a.len) != 0;
		peer = accept(lfd, NULL, NULL);
		strange += send(peer, "new", 3, MSG_NOSIGNAL) != 3;
		strange += recv(fd, buf, 3, MSG_WAITALL) != 3 || memcmp(buf, "new", 3);
		strange += send(fd, "nEw", 3, MSG_NOSIGNAL) != 3;
		strange += recv(peer, buf, 3, MSG_WAITALL) != 3 || memcmp(buf, "nEw", 3);
		close(peer);
		connect(fd, &none, sizeof(none));
		get_int(fd, SOL_SOCKET, SO_ERROR);
	}
	IS(t, strange, 0);
	close(fd);
	close(lfd);
}

static void *accepter(void *arg)
{
	struct side *s = arg;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		s->bytes++;
		close(fd);
	}
	s->error = errno;
	return NULL;
}

/* Threads accept while clients come; then the listener stops, and listens again. */
DIFF(listener_stops)
{
	struct addr a;
	int lfd, round, i, strange = 0;

	addr_loop(t, &a, 0);
	lfd = listener(t, &a, 16);
	for (round = 0; round < 10; round++) {
		struct side s[3];
		pthread_t th[3];

		for (i = 0; i < 3; i++) {
			s[i] = (struct side){ .fd = lfd };
			pthread_create(&th[i], NULL, accepter, &s[i]);
		}
		for (i = 0; i < 20; i++) {
			int fd = sock(t);

			strange += connect(fd, &a.sa, a.len) != 0;
			close(fd);
		}
		shutdown(lfd, SHUT_RD);
		for (i = 0; i < 3; i++) {
			pthread_join(th[i], NULL);
			strange += s[i].error != EINVAL;
		}
		strange += listen(lfd, 16) != 0;
		/* a port the kernel chose goes with the end of listening */
		addr_name(t, lfd, &a);
	}
	IS(t, strange, 0);
	close(lfd);
}

/* Every cheap look at a socket, over and over. */
static void *looker(void *arg)
{
	static const int opts[] = { TCP_INFO, TCP_MAXSEG, TCP_NODELAY, TCP_CONGESTION };
	struct side *s = arg;
	char buf[400];
	int i, val, on = 0;

	while (!__atomic_load_n(&s->go, __ATOMIC_ACQUIRE)) {
		for (i = 0; i < (int)ARRAY_SIZE(opts); i++) {
			socklen_t len = sizeof(buf);

			getsockopt(s->fd, IPPROTO_TCP, opts[i], buf, &len);
		}
		ioctl(s->fd, FIONREAD, &val);
		ioctl(s->fd, TIOCOUTQ, &val);
		mask(s->fd);
		on = !on;
		setsockopt(s->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
		setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
		setsockopt(s->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
		val = 20000 + 4096 * on;
		setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &val, sizeof(val));
		setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &val, sizeof(val));
		s->bytes++;
	}
	val = 0;
	setsockopt(s->fd, IPPROTO_TCP, TCP_CORK, &val, sizeof(val));
	return NULL;
}

/* Options of both ends change all the time while a megabyte goes through. */
DIFF(options_midway)
{
	struct side look[2], r;
	size_t size = 1 << 20, done = 0;
	char *data = malloc(size);
	pthread_t th[3];
	int fd[2], i;

	fill(data, size, 7);
	pair(t, fd);
	r = (struct side){ .fd = fd[1] };
	pthread_create(&th[2], NULL, receiver, &r);
	for (i = 0; i < 2; i++) {
		look[i] = (struct side){ .fd = fd[i] };
		pthread_create(&th[i], NULL, looker, &look[i]);
	}
	while (done < size) {
		ssize_t n = send(fd[0], data + done, size - done, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		done += n;
	}
	for (i = 0; i < 2; i++) {
		__atomic_store_n(&look[i].go, true, __ATOMIC_RELEASE);
		pthread_join(th[i], NULL);
	}
	shutdown(fd[0], SHUT_WR);
	pthread_join(th[2], NULL);
	IS(t, done, size);
	IS(t, r.bytes, size);
	IS(t, r.error, 0);
	close(fd[0]);
	close(fd[1]);
	free(data);
}

/* Two processes read from one socket: every byte comes to one of them. */
DIFF(two_readers)
{
	struct side r = { .bytes = 0 };
	long theirs = 0, sent = 0;
	int fd[2], pipefd[2], i;
	char buf[1000];
	pid_t pid;

	fill(buf, sizeof(buf), 3);
	pair(t, fd);
	if (pipe(pipefd))
		return;
	pid = fork();
	r.fd = fd[1];
	if (!pid) {
		close(fd[0]);
		receiver(&r);
		_exit(write(pipefd[1], &r.bytes, sizeof(r.bytes)) != sizeof(r.bytes));
	}
	for (i = 0; i < 200; i++)
		sent += send(fd[0], buf, sizeof(buf), MSG_NOSIGNAL);
	shutdown(fd[0], SHUT_WR);
	receiver(&r);
	IS(t, read(pipefd[0], &theirs, sizeof(theirs)), sizeof(theirs));
	waitpid(pid, NULL, 0);
	IS(t, r.bytes + theirs, sent);
}

DIFF_MAIN
