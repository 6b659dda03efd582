// SPDX-License-Identifier: GPL-2.0
/*
 * What arrives: goodput [-w S] [-t S] NS_A NS_B ADDRESS FLOW...
 *
 * Each FLOW, tcp or xtcp with an optional @CONGESTION, sends from namespace NS_A to
 * ADDRESS in NS_B as fast as it may, all of them at once; xtcp:tcp has a reader of
 * the other family. After S seconds of warming up (-w) the bytes that their readers
 * get within S seconds (-t) are counted:
 *
 *	goodput N FAMILY KBIT_PER_S
 *
 * Meant for a guest whose time is virtual: there a figure repeats exactly.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define PORT		9000
#define MAX_FLOWS	16
#define CHUNK		(64 * KIB)

static struct shared {
	int ready;
	uint64_t got[MAX_FLOWS];
} *shared;
static struct sockaddr_storage addr;
static socklen_t addr_len;
static pid_t pids[2 * MAX_FLOWS];
static int n_pids;
static char chunk[CHUNK];

static void addr_parse(const char *text)
{
	struct sockaddr_in *sin = (void *)&addr;
	struct sockaddr_in6 *sin6 = (void *)&addr;

	if (inet_pton(AF_INET, text, &sin->sin_addr) == 1) {
		sin->sin_family = AF_INET;
		addr_len = sizeof(*sin);
	} else if (inet_pton(AF_INET6, text, &sin6->sin6_addr) == 1) {
		sin6->sin6_family = AF_INET6;
		addr_len = sizeof(*sin6);
	} else {
		errno = EINVAL;
		die("address %s", text);
	}
}

static void port_set(int n)
{
	/* both kinds of address have it in the same place */
	((struct sockaddr_in *)&addr)->sin_port = htons(PORT + n);
}

static int flow_socket(enum family f, const char *cc)
{
	bool v6 = addr.ss_family == AF_INET6;
	int fd;

	fd = f == XTCP ? socket(family_af[XTCP], SOCK_STREAM, v6) :
			 socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
	if (fd < 0)
		die("socket of %s", family_name[f]);
	if (cc && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, cc, strlen(cc)))
		die("congestion control %s of %s", cc, family_name[f]);
	return fd;
}

static void reader(int n, enum family f)
{
	int lsn = flow_socket(f, NULL), one = 1, fd;
	ssize_t len;

	port_set(n);
	if (setsockopt(lsn, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(lsn, (struct sockaddr *)&addr, addr_len) || listen(lsn, 1))
		die("listener of %s", family_name[f]);
	__atomic_add_fetch(&shared->ready, 1, __ATOMIC_SEQ_CST);
	fd = accept(lsn, NULL, NULL);
	if (fd < 0)
		die("accept");
	while ((len = read(fd, chunk, sizeof(chunk))) > 0)
		__atomic_add_fetch(&shared->got[n], len, __ATOMIC_RELAXED);
	die("read");
}

static void writer(int n, enum family f, const char *cc)
{
	int fd = flow_socket(f, cc);

	port_set(n);
	if (connect(fd, (struct sockaddr *)&addr, addr_len))
		die("connect of %s", family_name[f]);
	while (write(fd, chunk, sizeof(chunk)) > 0)
		;
	die("write");
}

static void start(int n, const char *flow, int ns, bool writes)
{
	const char *cc = strchr(flow, '@'), *of = strchr(flow, ':');
	char name[8] = "";
	enum family f;
	pid_t pid;

	of = of && !writes ? of + 1 : flow;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(of, ":@"), of);
	f = family_parse(name);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid) {
		pids[n_pids++] = pid;
		return;
	}
	netns_enter(ns);
	if (writes)
		writer(n, f, cc ? cc + 1 : NULL);
	reader(n, f);
}

static void measure(int n_flows, char **flow, int warm_s, int time_s)
{
	uint64_t before[MAX_FLOWS];
	int i, status;

	idle_s(warm_s);
	for (i = 0; i < n_flows; i++)
		before[i] = __atomic_load_n(&shared->got[i], __ATOMIC_RELAXED);
	idle_s(time_s);
	for (i = 0; i < n_flows; i++) {
		uint64_t n = __atomic_load_n(&shared->got[i], __ATOMIC_RELAXED) - before[i];

		printf("goodput %d %.*s %.1f\n", i, (int)strcspn(flow[i], "@"), flow[i],
		       n * 8.0 / 1000 / time_s);
	}
	/* one that has ended has failed */
	if (waitpid(-1, &status, WNOHANG)) {
		errno = ECHILD;
		die("a flow");
	}
}

static int usage(void)
{
	fprintf(stderr,
		"usage: goodput [-w S] [-t S] NS_A NS_B ADDRESS tcp|xtcp[@CONGESTION]...\n");
	return 2;
}

int main(int argc, char **argv)
{
	int warm_s = 5, time_s = 30, ns_a, ns_b, n, i, c;

	while ((c = getopt(argc, argv, "w:t:")) != -1) {
		if (c == 'w')
			warm_s = atoi(optarg);
		else if (c == 't')
			time_s = atoi(optarg);
		else
			return usage();
	}
	n = argc - optind - 3;
	argv += optind;
	if (n < 1 || n > MAX_FLOWS || time_s < 1)
		return usage();
	ns_a = netns_open(argv[0]);
	ns_b = netns_open(argv[1]);
	addr_parse(argv[2]);
	argv += 3;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	for (i = 0; i < n; i++)
		start(i, argv[i], ns_b, false);
	while (__atomic_load_n(&shared->ready, __ATOMIC_SEQ_CST) < n) {
		if (waitpid(-1, &c, WNOHANG))
			die("a reader");
		usleep(1000);
	}
	for (i = 0; i < n; i++)
		start(i, argv[i], ns_a, true);
	measure(n, argv, warm_s, time_s);
	for (i = 0; i < n_pids; i++)
		kill(pids[i], SIGKILL);
	while (wait(&c) > 0)
		;
	return 0;
}
