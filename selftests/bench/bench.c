// SPDX-License-Identifier: GPL-2.0
/*
 * What the benchmark programs share, see bench.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <linux/xtcp.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

const char * const family_name[] = { "tcp", "xtcp" };
const int family_af[] = { AF_INET, AF_XTCP };

void die(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", strerror(err));
	exit(1);
}

/* -------------------------------------------------------------------- series */

void series_add(struct series *s, uint64_t v)
{
	if (s->n == s->max) {
		s->max = s->max ? 2 * s->max : 1024;
		s->v = realloc(s->v, s->max * sizeof(*s->v));
		if (!s->v)
			die("memory");
	}
	s->v[s->n++] = v;
}

void series_append(struct series *to, const struct series *from)
{
	size_t i;

	for (i = 0; i < from->n; i++)
		series_add(to, from->v[i]);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The value that @percent of all are below. */
uint64_t series_at(struct series *s, int percent)
{
	if (!s->n)
		return 0;
	qsort(s->v, s->n, sizeof(*s->v), by_value);
	return s->v[(s->n - 1) * percent / 100];
}

uint64_t series_median(struct series *s)
{
	return series_at(s, 50);
}

double series_mean(const struct series *s)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < s->n; i++)
		sum += s->v[i];
	return s->n ? sum / s->n : 0;
}

void figure(const char *name, enum family f, struct series *s, double value)
{
	printf("figure %s %s %.1f %.1f %.1f %.1f %zu\n", name, family_name[f], value,
	       series_mean(s), (double)series_at(s, 10), (double)series_at(s, 90), s->n);
	fflush(stdout);
}

void figure_one(const char *name, enum family f, double value)
{
	printf("figure %s %s %.1f %.1f %.1f %.1f 1\n", name, family_name[f], value, value,
	       value, value);
	fflush(stdout);
}

void figure_point(const char *curve, enum family f, double x, double value)
{
	printf("point %s %s %.1f %.1f\n", curve, family_name[f], x, value);
	fflush(stdout);
}

/* --------------------------------------------------------------------- guest */

void file_put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die("%s", path);
	close(fd);
}

/* The whole of it must fit. */
bool file_read(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t got = 0;
	ssize_t n = 0;

	while (fd >= 0 && got < size - 1 && (n = read(fd, buf + got, size - 1 - got)) > 0)
		got += n;
	buf[got] = 0;
	if (fd >= 0)
		close(fd);
	return fd >= 0 && !n;
}

/* A sysctl that both have under one name. */
void family_knob(enum family f, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/%s/%s", f == XTCP ? "xtcp" : "ipv4", name);
	file_put(path, text);
}

enum family family_parse(const char *name)
{
	if (strcmp(name, "tcp") && strcmp(name, "xtcp")) {
		errno = EINVAL;
		die("family %s", name);
	}
	return !strcmp(name, "xtcp") ? XTCP : TCP;
}

int netns_open(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("%s", path);
	return fd;
}

/* @ns: -1 stays where we are. */
void netns_enter(int ns)
{
	if (ns >= 0 && setns(ns, CLONE_NEWNET))
		die("setns");
}

int socket_open(enum family f)
{
	int fd = socket(family_af[f], SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket of %s", family_name[f]);
	return fd;
}

int listener_open(enum family f, struct in_addr addr, int port, int backlog)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = addr,
	};
	int fd = socket_open(f), one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, backlog))
		die("listener of %s", family_name[f]);
	return fd;
}

void files_allow(int n)
{
	struct rlimit lim = { n, n };

	if (setrlimit(RLIMIT_NOFILE, &lim))
		die("RLIMIT_NOFILE");
}

/*
 * Datagrams that nobody reads move the place where a slab ends, in the caches
 * that segments come from (their sizes: kmalloc-512, -1k and -2k).
 */
int memory_hold(int round)
{
	static const size_t size[] = { 1, 400, 1000 };
	static const char data[1000];
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), i;
	socklen_t len = sizeof(sa);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) ||
	    connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		die("UDP socket");
	for (i = 0; i < 3 * (5 * round % 11); i++)
		if (send(fd, data, size[i % 3], 0) < 0)
			die("send");
	return fd;
}

/*
 * Early after boot each random number costs a new seed, which would be counted
 * with every port and ISN. What is put in need not be secret in a benchmark.
 */
void random_seed(void)
{
	struct {
		struct rand_pool_info info;
		char bytes[64];
	} seed = { .info = { .entropy_count = 512, .buf_size = 64 } };
	int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &seed))
		die("RNDADDENTROPY");
	close(fd);
}

/* Costs nothing where the clock counts instructions. */
void idle_s(int s)
{
	struct timespec ts = { .tv_sec = s };

	while (nanosleep(&ts, &ts))
		;
}
