// SPDX-License-Identifier: GPL-2.0
/*
 * Directed races: in each scenario up to four threads, one per processor, do at
 * the same moment what can go wrong together, many times over. It shows most on
 * the module whose race points wait (src/module/race.h).
 *
 *	race_smp [-n ITERATIONS] [-s SEED] [-m MODULE] [SCENARIO...]
 *
 * After each scenario every byte has been checked, every socket is closed, and
 * the namespace must come to rest: nothing in /proc/net/xtcp, and the counters
 * of xtcp_states equal to that. TAP; nothing depends on how long things take.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/xtcp.h>

#include "race_smp.h"

const char *module_path;

static const struct duel *duel;		/* the running one */
static unsigned int n_strange, seed = 1, this_round;
static __thread unsigned int my_seed;

void strange(const char *fmt, ...)
{
	char text[300];
	va_list ap;

	if (__atomic_add_fetch(&n_strange, 1, __ATOMIC_RELAXED) > 8)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printf("# %s, round %u: %s\n", duel->name, this_round, text);
}

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("Bail out! ");
	vprintf(fmt, ap);
	va_end(ap);
	printf(": %s\n", strerror(errno));
	exit(1);
}

unsigned int rnd(unsigned int n)
{
	return (unsigned int)rand_r(&my_seed) % n;
}

void jitter(void)
{
	volatile unsigned int i = rnd(8) ? rnd(64) : rnd(4096);

	while (i)
		i--;
}

static void put_file(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		die("%s = %s", path, value);
	close(fd);
}

void sysctl_set(const char *name, const char *value)
{
	char path[100];

	snprintf(path, sizeof(path), "/proc/sys/net/xtcp/%s", name);
	put_file(path, value);
}

void param_set(const char *name, const char *value)
{
	char path[100];

	snprintf(path, sizeof(path), "/sys/module/xtcp/parameters/%s", name);
	put_file(path, value);
}

/* ------------------------------------------------------------- race points */

static char race_pm[20], race_us[20];

static void param_get(const char *name, char *to, size_t size)
{
	char path[100];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/xtcp/parameters/%s", name);
	f = fopen(path, "r");
	if (!f || !fgets(to, size, f))
		*to = 0;
	to[strcspn(to, "\n")] = 0;
	if (f)
		fclose(f);
}

void race_focus(const char *prefix, const char *us)
{
	FILE *f = fopen("/sys/module/xtcp/parameters/race_hits", "r");
	unsigned long long mask = 0, bit = 1;
	char line[100];

	if (!f)
		return;
	for (; fgets(line, sizeof(line), f); bit <<= 1) {
		if (!prefix || !strncmp(line, prefix, strlen(prefix)))
			mask |= bit;
	}
	fclose(f);
	snprintf(line, sizeof(line), "%llu", mask);
	param_set("race_mask", line);
	param_set("race_us", prefix ? us : race_us);
	param_set("race_pm", prefix ? "800" : race_pm);
}

/* ------------------------------------------------------------------ sockets */

int xsock(int v6, int flags)
{
	int fd = socket(AF_XTCP, SOCK_STREAM | SOCK_CLOEXEC | flags,
			v6 ? XTCP_PROTO_IPV6 : XTCP_PROTO_IPV4);

	if (fd < 0)
		die("socket");
	return fd;
}

socklen_t loop_addr(struct sockaddr_storage *ss, int v6, int port)
{
	struct sockaddr_in6 *a6 = (void *)ss;
	struct sockaddr_in *a4 = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	if (v6) {
		a6->sin6_family = AF_INET6;
		a6->sin6_port = htons(port);
		a6->sin6_addr = in6addr_loopback;
		return sizeof(*a6);
	}
	a4->sin_family = AF_INET;
	a4->sin_port = htons(port);
	a4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sizeof(*a4);
}

int xlisten(int v6, int *port, int backlog)
{
	int fd = xsock(v6, SOCK_NONBLOCK);
	struct sockaddr_storage ss;
	socklen_t len = loop_addr(&ss, v6, 0);

	if (bind(fd, (void *)&ss, len) || listen(fd, backlog) ||
	    getsockname(fd, (void *)&ss, &len))
		die("listen");
	*port = ntohs(((struct sockaddr_in *)&ss)->sin_port);
	return fd;
}

bool await(int fd, short events, const char *what)
{
	struct pollfd p = { .fd = fd, .events = events };

	if (poll(&p, 1, PATIENCE_MS) == 1)
		return true;
	strange("%s never came", what);
	return false;
}

static unsigned char pattern(unsigned int off)
{
	return off * 7 + (off >> 8) * 13 + 5;
}

void put_bytes(int fd, unsigned int off, unsigned int len)
{
	unsigned char buf[4096];
	unsigned int i, n;
	ssize_t done;

	while (len) {
		n = len < sizeof(buf) ? len : sizeof(buf);
		for (i = 0; i < n; i++)
			buf[i] = pattern(off + i);
		done = send(fd, buf, n, MSG_NOSIGNAL);
		if (done < 0 && errno == EAGAIN && await(fd, POLLOUT, "room to send"))
			continue;
		if (done <= 0) {
			strange("send: %s", strerror(errno));
			return;
		}
		off += done;
		len -= done;
	}
}

void get_bytes(int fd, unsigned int off, unsigned int len)
{
	unsigned char buf[4096];
	ssize_t i, n;

	while (len) {
		if (!await(fd, POLLIN, "data"))
			return;
		n = recv(fd, buf, len < sizeof(buf) ? len : sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0) {
			strange("recv at %u: %s", off, n ? strerror(errno) : "end");
			return;
		}
		for (i = 0; i < n; i++) {
			if (buf[i] != pattern(off + i)) {
				strange("byte %zu is wrong", off + i);
				return;
			}
		}
		off += n;
		len -= n;
	}
}

void abort_fd(int fd)
{
	struct linger lg = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, sizeof(lg));
	close(fd);
}

/* --------------------------------------------------------------------- rest */

/* What /proc/net/xtcp_states says is there now; CLOSE is every other socket. */
static long counted(void)
{
	FILE *f = fopen("/proc/net/xtcp_states", "r");
	char line[200], name[40];
	long sum = 0, now;

	if (!f)
		die("xtcp_states");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%39s %ld", name, &now) == 2)
			sum += now;
	}
	fclose(f);
	return sum;
}

static long dumped(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[400];
	long n = -1;

	if (!f)
		die("%s", path);
	while (fgets(line, sizeof(line), f))
		n++;
	fclose(f);
	return n;
}

static void show(const char *path)
{
	char line[400];
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f))
		printf("#   %s", line);
	if (f)
		fclose(f);
}

void await_rest(void)
{
	long a = 0, b = 0;
	int ms;

	for (ms = 0; ms < PATIENCE_MS; ms += 20) {
		a = counted();
		b = dumped("/proc/net/xtcp") + dumped("/proc/net/xtcp6");
		if (!a && !b)
			return;
		poll(NULL, 0, 20);
	}
	strange("no rest: %ld by the counters, %ld in the dumps", a, b);
	show("/proc/net/xtcp_states");
	show("/proc/net/xtcp");
	show("/proc/net/xtcp6");
}

/* -------------------------------------------------------------------- duels */

struct fighter {
	pthread_t thread;
	int nr;
};

static unsigned int gate;		/* rounds begun; ~0: no more. A futex */
static unsigned int ready, busy;	/* fighters awake; not done yet, a futex */
static unsigned int n_fighters;

/* Asleep until *word is not @old any more: a processor that spins is one less. */
static void sleep_while(unsigned int *word, unsigned int old)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == old)
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, old, NULL, NULL, 0);
}

static void wake(unsigned int *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, FIGHTERS, NULL, NULL, 0);
}

/* All awake on their processors: now. */
static void together(void)
{
	unsigned int n = 0;

	__atomic_add_fetch(&ready, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&ready, __ATOMIC_ACQUIRE) != n_fighters) {
		if (++n % 64 == 0)
			sched_yield();
	}
}

static void *fight(void *arg)
{
	struct fighter *f = arg;
	unsigned int seen = 0;
	cpu_set_t cpus;

	my_seed = seed * 7919 + f->nr + 1;
	CPU_ZERO(&cpus);
	CPU_SET(f->nr % sysconf(_SC_NPROCESSORS_ONLN), &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	for (;;) {
		sleep_while(&gate, seen);
		seen = __atomic_load_n(&gate, __ATOMIC_ACQUIRE);
		if (seen == ~0u)
			return NULL;
		together();
		jitter();
		duel->act[f->nr](this_round);
		if (!__atomic_sub_fetch(&busy, 1, __ATOMIC_ACQ_REL))
			wake(&busy);
	}
}

static void start(struct fighter *f)
{
	unsigned int i;

	for (n_fighters = 0; n_fighters < FIGHTERS && duel->act[n_fighters];)
		n_fighters++;
	for (i = 0; i < n_fighters; i++) {
		f[i].nr = i;
		if (pthread_create(&f[i].thread, NULL, fight, &f[i]))
			die("thread");
	}
}

static void round_of(unsigned int round)
{
	unsigned int left;

	this_round = round;
	if (duel->setup)
		duel->setup(round);
	ready = 0;
	busy = n_fighters;
	__atomic_store_n(&gate, round + 1, __ATOMIC_RELEASE);
	wake(&gate);
	while ((left = __atomic_load_n(&busy, __ATOMIC_ACQUIRE)))
		sleep_while(&busy, left);
	if (duel->check)
		duel->check(round);
}

static unsigned int run(unsigned int iterations)
{
	struct fighter f[FIGHTERS];
	unsigned int i;

	n_strange = 0;
	gate = 0;
	my_seed = seed;
	new_namespace();
	if (duel->begin)
		duel->begin();
	start(f);
	for (i = 0; i < duel->rounds * iterations && n_strange < 8; i++)
		round_of(i);
	__atomic_store_n(&gate, ~0u, __ATOMIC_RELEASE);
	wake(&gate);
	for (i = 0; i < n_fighters; i++)
		pthread_join(f[i].thread, NULL);
	if (duel->end)
		duel->end();
	await_rest();
	return n_strange;
}

/* One of its own, so that nothing of another scenario is in it. */
void new_namespace(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd;

	if (unshare(CLONE_NEWNET))
		die("unshare");
	strcpy(ifr.ifr_name, "lo");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		die("loopback");
	close(fd);
	/* ends come soon, in time that this machine can spare */
	sysctl_set("tcp_timewait_ms", "60");
	sysctl_set("tcp_fin_timeout", "1");
	sysctl_set("tcp_orphan_retries", "2");
	sysctl_set("tcp_rto_min_us", "50000");
	sysctl_set("tcp_init_rto_ms", "100");
	sysctl_set("tcp_synack_retries", "2");
}

static bool wanted(const char *name, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(*names, name))
			return true;
	return false;
}

static unsigned int run_all(const struct duel *d, unsigned int n, char **names,
			    unsigned int iterations, unsigned int *ran)
{
	unsigned int i, failed = 0, bad;
	struct timespec a, b;

	for (i = 0; i < n; i++) {
		if (!wanted(d[i].name, names))
			continue;
		duel = &d[i];
		clock_gettime(CLOCK_MONOTONIC, &a);
		bad = run(iterations);
		clock_gettime(CLOCK_MONOTONIC, &b);
		failed += !!bad;
		printf("%s %u - %s\n# %u rounds, %ld ms\n", bad ? "not ok" : "ok", ++*ran,
		       duel->name, duel->rounds * iterations,
		       (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000);
	}
	return failed;
}

int main(int argc, char **argv)
{
	unsigned int iterations = 1, failed = 0, ran = 0;
	int c;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	while ((c = getopt(argc, argv, "n:s:m:")) != -1) {
		switch (c) {
		case 'n':
			iterations = strtoul(optarg, NULL, 0);
			break;
		case 's':
			seed = strtoul(optarg, NULL, 0);
			break;
		case 'm':
			module_path = optarg;
			break;
		default:
			fprintf(stderr,
				"usage: race_smp [-n ITERATIONS] [-s SEED] [-m MODULE] [SCENARIO...]\n");
			return 2;
		}
	}
	param_get("race_pm", race_pm, sizeof(race_pm));
	param_get("race_us", race_us, sizeof(race_us));
	failed += run_all(sock_duels, n_sock_duels, argv + optind, iterations, &ran);
	failed += run_all(wire_duels, n_wire_duels, argv + optind, iterations, &ran);
	failed += run_all(world_duels, n_world_duels, argv + optind, iterations, &ran);
	printf("1..%u\n", ran);
	return failed || !ran;
}
