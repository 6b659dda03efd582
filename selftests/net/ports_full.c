// SPDX-License-Identifier: GPL-2.0
/*
 * The whole range of local ports used up, for real:
 *
 *	ports_full fill FAMILY IP [MAX_RATIO [PORTS]]
 *	ports_full race FAMILY IP
 *	ports_full share FAMILY IP
 *
 * FAMILY is tcp or xtcp, IP 4 or 6. The peer is a TUN device that nobody reads,
 * so that each connect() is one SYN and holds its port for as long as its socket
 * is open. Each run has a network namespace of its own. Prints "# ..." and, at
 * the first thing that is wrong, says so and fails.
 *
 * fill: connects until EADDRNOTAVAIL and counts; prints what a connect() costs
 * (median, ns: instructions with --icount) at several degrees of fullness. With
 * MAX_RATIO, the cost at 99.9 % and beyond must be at most so many percent of that
 * to a destination without a connection. PORTS: not the default range, a shorter one.
 * race: eight threads share a range, first to the last port, then each closes
 * and connects again and again with hardly a port to spare.
 * share: eight threads, a destination each, a range of two ports: all get both.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/xtcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FIRST	32768
#define LAST	60999
#define ALL_PORTS	(LAST - FIRST + 1)
#define THREADS	8
#define SAMPLES	31

static bool xtcp, v6;
static int *fds, n_ports = ALL_PORTS;

#define DIE(...) do {					\
	printf("# line %d: ", __LINE__);		\
	printf(__VA_ARGS__);				\
	printf("\n");					\
	exit(1);					\
} while (0)

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		DIE("%s: %m", path);
	close(fd);
}

static void knob(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/%s/%s", xtcp ? "xtcp" : "ipv4", name);
	write_file(path, text);
}

static void range(int low, int high)
{
	char text[32];

	snprintf(text, sizeof(text), "%d %d", low, high);
	knob("ip_local_port_range", text);
}

static void set_up(void)
{
	struct rlimit lim = { ALL_PORTS + 4096, ALL_PORTS + 4096 };
	struct ifreq ifr = { .ifr_name = "tun0", .ifr_flags = IFF_TUN | IFF_NO_PI };
	int tun = open("/dev/net/tun", O_RDWR);

	if (setrlimit(RLIMIT_NOFILE, &lim))
		DIE("RLIMIT_NOFILE: %m");
	if (unshare(CLONE_NEWNET) || tun < 0)
		DIE("namespace, tun: %m");
	close(tun);
	tun = open("/dev/net/tun", O_RDWR);	/* belongs to the namespace it is opened in */
	if (ioctl(tun, TUNSETIFF, &ifr))
		DIE("TUNSETIFF: %m");
	if (system("ip link set lo up") || system("ip link set tun0 up") ||
	    system("ip addr add 10.77.0.1/24 dev tun0") ||
	    system("ip addr add fd77::1/64 dev tun0 nodad"))
		DIE("ip");
	/* no retransmission in the midst of a measurement; the kernel has no such knob */
	if (xtcp)
		knob("tcp_init_rto_ms", "60000");
	fds = malloc(n_ports * sizeof(*fds));
}

/* 0 or errno; the socket in *fd */
static int dial(int port, int *fd)
{
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	int family = xtcp ? AF_XTCP : v6 ? AF_INET6 : AF_INET, proto = 0, err;

	if (xtcp)
		proto = v6 ? XTCP_PROTO_IPV6 : XTCP_PROTO_IPV4;
	*fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, proto);
	if (*fd < 0)
		DIE("socket: %m");
	inet_pton(AF_INET, "10.77.0.2", &a4.sin_addr);
	inet_pton(AF_INET6, "fd77::2", &a6.sin6_addr);
	err = v6 ? connect(*fd, (struct sockaddr *)&a6, sizeof(a6)) :
		   connect(*fd, (struct sockaddr *)&a4, sizeof(a4));
	if (err && errno == EINPROGRESS)
		return 0;
	err = errno;
	close(*fd);
	*fd = -1;
	return err;
}

static long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000L + ts.tv_nsec;
}

/* ---- fill */

static int by_value(const void *a, const void *b)
{
	long d = *(const long *)a - *(const long *)b;

	return d < 0 ? -1 : d > 0;
}

/* Median of connect() alone; each closes again, so that the degree stays. */
static long cost(int port, int want)
{
	long t[SAMPLES];
	int i, fd, err;

	for (i = 0; i < SAMPLES; i++) {
		t[i] = now_ns();
		err = dial(port, &fd);
		t[i] = now_ns() - t[i];
		if (err != want)
			DIE("connect: %s, not %s", strerror(err), strerror(want));
		if (fd >= 0)
			close(fd);
	}
	qsort(t, SAMPLES, sizeof(*t), by_value);
	return t[SAMPLES / 2];
}

static void fill_to(int *n, int want)
{
	int err;

	while (*n < want) {
		err = dial(80, &fds[*n]);
		if (err)
			DIE("connection %d of %d: %s", *n + 1, n_ports, strerror(err));
		++*n;
	}
}

static void fill(int max_ratio)
{
	static const int degree[] = { 100, 500, 900, 990, 999 };
	long c[5], full, empty, all = now_ns();
	int n = 0, i, k, fd;

	fill_to(&n, n_ports);
	printf("# %d connections to one destination in %ld ms\n", n, (now_ns() - all) / 1000000);
	if (dial(80, &fd) != EADDRNOTAVAIL)
		DIE("one more than there are ports");
	full = cost(80, EADDRNOTAVAIL);
	/* the ports are all claimed: this is a connect() without a search */
	empty = cost(82, 0);
	if (dial(81, &fd))
		DIE("another destination: %m");
	close(fd);
	/* gone here and there: exactly as many come back */
	for (k = 0; k < 10; k++) {
		for (i = k; i < n_ports; i += 2000 + k)
			close(fds[i]);
		for (i = k; i < n_ports; i += 2000 + k) {
			if (dial(80, &fds[i]))
				DIE("round %d: a free port is not found", k);
		}
		if (dial(80, &fd) != EADDRNOTAVAIL)
			DIE("round %d: more than there are ports", k);
	}
	for (i = 4; i >= 0; i--) {
		k = (long)n_ports * degree[i] / 1000;
		/* the youngest first, the oldest remain: the search meets them next */
		while (n > k)
			close(fds[--n]);
		c[i] = cost(80, 0);
	}
	for (i = 0; i < 5; i++)
		printf("# %s connect() at %d.%d %%: %ld ns\n", xtcp ? "xtcp" : "tcp",
		       degree[i] / 10, degree[i] % 10, c[i]);
	printf("# %s connect() to an empty destination: %ld ns\n", xtcp ? "xtcp" : "tcp", empty);
	printf("# %s connect() at 100 %%, EADDRNOTAVAIL: %ld ns\n", xtcp ? "xtcp" : "tcp", full);
	if (max_ratio && c[4] * 100 > empty * max_ratio)
		DIE("99.9 %% costs more than %d %% of empty", max_ratio);
	if (max_ratio && full * 100 > empty * max_ratio)
		DIE("100 %% costs more than %d %% of empty", max_ratio);
}

/* ---- threads */

static pthread_barrier_t barrier;

static void threads(void *(*run)(void *))
{
	pthread_t t[THREADS];
	long i;

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], NULL, run, (void *)i))
			DIE("pthread_create");
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

#define RACE_PORTS	1000
#define RACE_ROUNDS	2000

static int race_got;

static void *race_run(void *arg)
{
	unsigned int rnd = (long)arg;
	int own[RACE_PORTS], n = 0, i, err;

	pthread_barrier_wait(&barrier);
	while (n < RACE_PORTS && !(err = dial(80, &own[n])))
		n++;
	if (n < RACE_PORTS && err != EADDRNOTAVAIL)
		DIE("connect: %s", strerror(err));
	__atomic_add_fetch(&race_got, n, __ATOMIC_SEQ_CST);
	pthread_barrier_wait(&barrier);
	if (race_got != RACE_PORTS)
		DIE("%d of %d ports found", race_got, RACE_PORTS);
	/* some threads may have got little: then they just watch */
	for (i = 0; i < RACE_ROUNDS && n > 1; i++) {
		int k, gone = i ? 1 : 2;

		for (k = 0; k < gone; k++) {
			rnd = rnd * 1103515245 + 12345;
			err = (rnd >> 8) % n;
			close(own[err]);
			own[err] = own[--n];
		}
		err = dial(80, &own[n]);
		if (err)
			DIE("round %d: %s with a port to spare", i, strerror(err));
		n++;
	}
	pthread_barrier_wait(&barrier);
	while (n)
		close(own[--n]);
	return NULL;
}

static void race(void)
{
	long t = now_ns();

	range(FIRST, FIRST + RACE_PORTS - 1);
	threads(race_run);
	printf("# %d ports, %d threads, %d rounds each: %ld ms\n", RACE_PORTS, THREADS,
	       RACE_ROUNDS, (now_ns() - t) / 1000000);
}

#define SHARE_ROUNDS	300

static void *share_run(void *arg)
{
	int port = 1000 + (int)(long)arg, fd[3], i, k, err;

	for (i = 0; i < SHARE_ROUNDS; i++) {
		pthread_barrier_wait(&barrier);
		for (k = 0; k < 2; k++) {
			err = dial(port, &fd[k]);
			if (err)
				DIE("round %d, connection %d: %s", i, k, strerror(err));
		}
		if (dial(port, &fd[2]) != EADDRNOTAVAIL)
			DIE("round %d: three connections, two ports", i);
		pthread_barrier_wait(&barrier);
		close(fd[0]);
		close(fd[1]);
		/* now and then the claims of the ports go, too */
		if (i % 50 == 49)
			usleep(400000 + (int)(long)arg * 7000);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	xtcp = !strcmp(argv[2], "xtcp");
	v6 = !strcmp(argv[3], "6");
	set_up();
	if (!strcmp(argv[1], "fill")) {
		if (argc > 5) {
			n_ports = atoi(argv[5]);
			if (n_ports < 1000 || n_ports > ALL_PORTS)
				return 2;
			range(FIRST, FIRST + n_ports - 1);
		}
		fill(argc > 4 ? atoi(argv[4]) : 0);
	} else if (!strcmp(argv[1], "race")) {
		race();
	} else if (!strcmp(argv[1], "share")) {
		range(FIRST, FIRST + 1);
		threads(share_run);
		printf("# %d rounds\n", SHARE_ROUNDS);
	} else {
		return 2;
	}
	return 0;
}
