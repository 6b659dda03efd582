// SPDX-License-Identifier: GPL-2.0
/*
 * Living beside the kernel's TCP: raw_coexist ports | dying N. Prints TAP. A
 * further argument "tcp" plays AF_XTCP's part with kernel TCP, to check the test.
 *
 * ports: who may bind and listen while another holds the port. What two kernel
 * TCP sockets do is measured in the same run and is what every combination with
 * AF_XTCP is held to.
 * dying: network namespaces that end under live AF_XTCP traffic.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/xtcp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int n_tests, n_failed;
static bool as_tcp;

static void result(bool ok, const char *what)
{
	n_failed += !ok;
	printf("%sok %d - %s\n", ok ? "" : "not ", ++n_tests, what);
	fflush(stdout);
}

static void die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

static void lo_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	if (s < 0 || ioctl(s, SIOCSIFFLAGS, &ifr))
		die("lo");
	close(s);
}

/* ---- ports */

enum addr_kind { V4_LO, V4_LO2, V4_ANY, V6_LO, V6_ANY_DUAL, V6_ANY_ONLY, N_ADDR };

static const char *const addr_name[N_ADDR] = {
	"127.0.0.1", "127.0.0.2", "0.0.0.0", "::1", ":: dual", ":: v6only"
};

struct holder {
	bool xtcp, reuse, listens;
	enum addr_kind addr;
};

union addr {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t make_addr(union addr *a, enum addr_kind kind, int port)
{
	memset(a, 0, sizeof(*a));
	if (kind >= V6_LO) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(port);
		if (kind == V6_LO)
			a->v6.sin6_addr = in6addr_loopback;
		return sizeof(a->v6);
	}
	a->v4.sin_family = AF_INET;
	a->v4.sin_port = htons(port);
	if (kind != V4_ANY)
		a->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (kind == V4_LO2));
	return sizeof(a->v4);
}

static int make_socket(const struct holder *h)
{
	bool v6 = h->addr >= V6_LO;
	int one = 1, only = h->addr == V6_ANY_ONLY, fd;

	if (h->xtcp && !as_tcp)
		fd = socket(AF_XTCP, SOCK_STREAM, v6 ? XTCP_PROTO_IPV6 : XTCP_PROTO_IPV4);
	else
		fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
	if (fd < 0)
		die("socket");
	if (h->reuse && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)))
		die("SO_REUSEADDR");
	if (v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)))
		die("IPV6_V6ONLY");
	return fd;
}

/* 0 or the errno of taking the port; the socket in *fd */
static int take(const struct holder *h, int port, int *fd)
{
	union addr a;
	socklen_t len = make_addr(&a, h->addr, port);

	*fd = make_socket(h);
	if (bind(*fd, &a.sa, len))
		return errno;
	if (h->listens && listen(*fd, 4))
		return errno;
	return 0;
}

/* What the second gets while the first holds the port. */
static int contest(const struct holder *first, const struct holder *second)
{
	static int port = 20000;
	int a, b, err;

	port++;
	err = take(first, port, &a);
	if (err) {
		errno = err;
		die("first owner");
	}
	err = take(second, port, &b);
	close(b);
	close(a);
	return err;
}

static bool contest_as(struct holder first, struct holder second, bool x1, bool x2,
		       int want, bool stricter_is_fine)
{
	int got;

	first.xtcp = x1;
	second.xtcp = x2;
	got = contest(&first, &second);
	if (got == want || (stricter_is_fine && got == EADDRINUSE))
		return true;
	printf("# %s holds %s%s%s, %s takes %s%s%s: %s, kernel TCP alone: %s\n",
	       x1 ? "xtcp" : "tcp", addr_name[first.addr],
	       first.reuse ? " reuse" : "", first.listens ? " listening" : "",
	       x2 ? "xtcp" : "tcp", addr_name[second.addr],
	       second.reuse ? " reuse" : "", second.listens ? " listening" : "",
	       strerror(got), strerror(want));
	return false;
}

/* All addresses against all addresses for one setting of the flags. */
static void ports_table(bool reuse, bool first_listens, bool second_listens)
{
	bool ok_tx = true, ok_xt = true, ok_xx = true;
	struct holder a = { .reuse = reuse, .listens = first_listens };
	struct holder b = { .reuse = reuse, .listens = second_listens };
	char what[128], name[160];

	for (a.addr = 0; a.addr < N_ADDR; a.addr++) {
		for (b.addr = 0; b.addr < N_ADDR; b.addr++) {
			struct holder a1 = a, b1 = b;
			int want = contest(&a, &b);
			bool strict;

			/*
			 * Sharing by SO_REUSEADDR is a thing of one family:
			 * across families the port may be refused.
			 */
			a1.reuse = false;
			b1.reuse = false;
			strict = reuse && contest(&a1, &b1) == EADDRINUSE;
			ok_tx &= contest_as(a, b, false, true, want, strict);
			ok_xt &= contest_as(a, b, true, false, want, strict);
			ok_xx &= contest_as(a, b, true, true, want, false);
		}
	}
	snprintf(what, sizeof(what), "%s, first %s, second %s",
		 reuse ? "SO_REUSEADDR" : "plain",
		 first_listens ? "listens" : "binds",
		 second_listens ? "listens" : "binds");
	snprintf(name, sizeof(name), "TCP holds, XTCP wants: %s", what);
	result(ok_tx, name);
	snprintf(name, sizeof(name), "XTCP holds, TCP wants: %s", what);
	result(ok_xt, name);
	snprintf(name, sizeof(name), "XTCP holds, XTCP wants: %s", what);
	result(ok_xx, name);
}

static void ports_released(void)
{
	struct holder x = { .xtcp = true, .listens = true, .addr = V4_ANY };
	struct holder t = { .listens = true, .addr = V4_ANY };
	bool ok = true;
	int i, a, b;

	for (i = 0; i < 50 && ok; i++) {
		ok = !take(&x, 19999, &a);
		close(a);
		ok &= !take(&t, 19999, &b);
		close(b);
	}
	result(ok, "a port changes hands 50 times");
}

static void ports(void)
{
	int i;

	if (unshare(CLONE_NEWNET))
		die("unshare");
	lo_up();
	for (i = 0; i < 8; i++)
		ports_table(i & 4, i & 2, i & 1);
	ports_released();
}

/* ---- dying */

#define EXCHANGES 30

static atomic_int n_exchanges, progress_fd;

static void *echo_thread(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char buf[8192];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		if (send(fd, buf, n, MSG_NOSIGNAL) < 0)
			break;
	close(fd);
	return NULL;
}

static void *accept_thread(void *arg)
{
	int lfd = (int)(intptr_t)arg, fd;
	pthread_t tid;

	while ((fd = accept(lfd, NULL, NULL)) >= 0)
		pthread_create(&tid, NULL, echo_thread, (void *)(intptr_t)fd);
	return NULL;
}

static void *traffic_thread(void *arg)
{
	const struct holder *h = arg;
	union addr a;
	socklen_t len = make_addr(&a, h->addr, 9000);
	char buf[8192] = { 0 };
	int i, fd;

	for (;;) {
		fd = make_socket(h);
		if (connect(fd, &a.sa, len)) {
			close(fd);
			continue;
		}
		for (i = 0; i < 5; i++) {
			if (send(fd, buf, sizeof(buf), MSG_NOSIGNAL) < 0 ||
			    recv(fd, buf, sizeof(buf), 0) <= 0)
				break;
			if (atomic_fetch_add(&n_exchanges, 1) == EXCHANGES &&
			    write(progress_fd, "x", 1) != 1)
				_exit(1);
		}
		close(fd);
	}
	return NULL;
}

/* Live traffic in a namespace of its own until the parent kills us. */
static void live_and_die(enum addr_kind kind, bool xtcp_server, bool xtcp_client)
{
	struct holder s = { .xtcp = xtcp_server, .reuse = true, .listens = true,
			    .addr = kind };
	static struct holder c;
	pthread_t tid;
	int i, lfd;

	c = s;
	c.xtcp = xtcp_client;
	if (unshare(CLONE_NEWNET))
		_exit(1);
	lo_up();
	if (take(&s, 9000, &lfd))
		_exit(1);
	pthread_create(&tid, NULL, accept_thread, (void *)(intptr_t)lfd);
	for (i = 0; i < 4; i++)
		pthread_create(&tid, NULL, traffic_thread, &c);
	for (;;)
		pause();
}

static bool die_once(enum addr_kind kind, bool xtcp_server, bool xtcp_client)
{
	int fds[2], status;
	char c;
	bool lived;
	pid_t pid;

	if (pipe(fds))
		die("pipe");
	fflush(stdout);
	pid = fork();
	if (!pid) {
		close(fds[0]);
		progress_fd = fds[1];
		live_and_die(kind, xtcp_server, xtcp_client);
	}
	close(fds[1]);
	lived = read(fds[0], &c, 1) == 1;
	close(fds[0]);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return lived;
}

static void dying(int times)
{
	static const char *const name[] = {
		"xtcp to xtcp", "tcp to xtcp", "xtcp to tcp"
	};
	int i, mode;

	for (mode = 0; mode < 3; mode++) {
		char what[100];
		int lived = 0;

		for (i = 0; i < times; i++)
			lived += die_once(i % 2 ? V6_LO : V4_LO, mode != 2, mode != 1);
		snprintf(what, sizeof(what),
			 "%d namespaces die under live traffic, %s", times, name[mode]);
		printf("# %d of %d saw traffic\n", lived, times);
		result(lived == times, what);
	}
}

int main(int argc, char **argv)
{
	printf("TAP version 13\n");
	as_tcp = !strcmp(argv[argc - 1], "tcp");
	if (argc >= 2 && !strcmp(argv[1], "ports"))
		ports();
	else if (argc >= 3 && !strcmp(argv[1], "dying"))
		dying(atoi(argv[2]));
	else
		fprintf(stderr, "usage: raw_coexist ports [tcp] | dying TIMES [tcp]\n");
	printf("1..%d\n", n_tests);
	return !n_tests || n_failed;
}
