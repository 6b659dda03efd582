// SPDX-License-Identifier: GPL-2.0
/*
 * Connections per second on several processors: smp tcp|xtcp WORKERS SECONDS
 *
 * A worker is a server with a listener of its own on the common port
 * (SO_REUSEPORT) and a client that connects, exchanges a byte each way and closes
 * over the loopback, both on the worker's processor. By the clock on the wall: only
 * the ratio of the families, measured in one guest, says something.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define PORT		8800
#define MAX_WORKERS	16

static enum family family;
static struct shared {
	int ready;
	unsigned long done[MAX_WORKERS];
} *shared;
static pid_t pids[2 * MAX_WORKERS];
static int n_pids;

static void on_processor(int n)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(n, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("processor %d", n);
}

static int listener(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = socket_open(family), one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 1024))
		die("listener of %s", family_name[family]);
	return fd;
}

static void server(int n)
{
	int lsn = listener(), fd;
	char c;

	__atomic_add_fetch(&shared->ready, 1, __ATOMIC_SEQ_CST);
	for (;;) {
		fd = accept(lsn, NULL, NULL);
		if (fd < 0)
			die("accept");
		if (read(fd, &c, 1) == 1 && write(fd, &c, 1) == 1)
			__atomic_add_fetch(&shared->done[n], 1, __ATOMIC_RELAXED);
		close(fd);
	}
}

static void client(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	char c = 'x';
	int fd;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (;;) {
		fd = socket_open(family);
		if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) || write(fd, &c, 1) != 1 ||
		    read(fd, &c, 1) != 1)
			die("connection over %s", family_name[family]);
		/* the server has closed, or is about to: TIME-WAIT is its side's */
		if (read(fd, &c, 1))
			die("end over %s", family_name[family]);
		close(fd);
	}
}

static void start(int n, bool is_server)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid) {
		pids[n_pids++] = pid;
		return;
	}
	on_processor(n);
	if (is_server)
		server(n);
	client();
	exit(1);
}

static unsigned long all_done(int workers)
{
	unsigned long sum = 0;
	int i;

	for (i = 0; i < workers; i++)
		sum += __atomic_load_n(&shared->done[i], __ATOMIC_RELAXED);
	return sum;
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	int workers = argc == 4 ? atoi(argv[2]) : 0, i, status;
	unsigned long before;
	char name[16];
	double t;

	if (workers < 1 || workers > MAX_WORKERS) {
		fprintf(stderr, "usage: smp tcp|xtcp WORKERS SECONDS\n");
		return 2;
	}
	family = family_parse(argv[1]);
	random_seed();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	for (i = 0; i < workers; i++)
		start(i, true);
	while (__atomic_load_n(&shared->ready, __ATOMIC_SEQ_CST) < workers)
		usleep(1000);
	for (i = 0; i < workers; i++)
		start(i, false);
	/* the first second warms up */
	idle_s(1);
	before = all_done(workers);
	t = now_s();
	idle_s(atoi(argv[3]));
	t = (all_done(workers) - before) / (now_s() - t);
	/* one that has ended has failed */
	if (waitpid(-1, &status, WNOHANG)) {
		errno = ECHILD;
		die("a worker");
	}
	for (i = 0; i < n_pids; i++)
		kill(pids[i], SIGKILL);
	while (wait(&status) > 0)
		;
	snprintf(name, sizeof(name), "smp.%d", workers);
	figure_one(name, family, t);
	return 0;
}
