// SPDX-License-Identifier: GPL-2.0
/*
 * storm [-n CALLS] [-j THREADS] [-s SEED] [-t SECONDS]: the syscall storm, see
 * storm.h; storm --fail-nth ...: see storm_fail.c.
 *
 * Looked for are crashes, warnings, hangs and leaks: the harness sees them. Here:
 * does it end, did the calls do anything, did one return what none may return?
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "storm.h"

#define MAX_THREADS 32
#define ERESTARTSYS 512

atomic_int storm_slots[SLOTS];

static atomic_ulong counts[N_COUNTED], n_calls, n_internal, n_restart;
static u64 wanted = 20000;
static atomic_int running;

u32 rnd(struct storm *s, u32 n)
{
	u64 z;

	s->rng += 0x9e3779b97f4a7c15ull;
	z = (s->rng ^ (s->rng >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	z ^= z >> 31;
	return n ? (z >> 16) % n : z >> 32;
}

bool one_in(struct storm *s, u32 n)
{
	return !rnd(s, n);
}

void storm_count(enum counted what, u64 n)
{
	atomic_fetch_add(&counts[what], n);
}

int slot_get(struct storm *s)
{
	return storm_slots[rnd(s, SLOTS)];
}

/* In place of another one, which is closed. */
void slot_put(struct storm *s, int fd)
{
	if (fd < 0)
		return;
	fd = atomic_exchange(&storm_slots[rnd(s, SLOTS)], fd);
	if (fd >= 0)
		close(fd);
}

long storm_result(const char *call, long ret)
{
	/*
	 * The kernel's own (include/linux/errno.h). With signals as many as here Debian's
	 * 6.1 shows ERESTARTSYS once in some 10,000 interrupted calls, on TCP as well.
	 */
	if (ret < 0 && errno == ERESTARTSYS) {
		atomic_fetch_add(&n_restart, 1);
	} else if (ret < 0 && errno > ERESTARTSYS) {
		fprintf(stderr, "# %s: errno %d\n", call, errno);
		atomic_fetch_add(&n_internal, 1);
	}
	return ret;
}

void storm_thread_init(struct storm *s, u64 seed)
{
	u8 *pages = mmap(NULL, BUF_SIZE + 8192, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(s, 0, sizeof(*s));
	s->rng = seed;
	if (pages == MAP_FAILED || mprotect(pages + BUF_SIZE, 8192, PROT_NONE) ||
	    pipe2(s->pipe, O_NONBLOCK | O_CLOEXEC)) {
		perror("storm");
		exit(2);
	}
	s->buf = pages;
	s->edge = pages + BUF_SIZE;
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->file = memfd_create("storm", MFD_CLOEXEC);
	if (s->epoll < 0 || ftruncate(s->file, BUF_SIZE)) {
		perror("storm");
		exit(2);
	}
}

void storm_thread_exit(struct storm *s)
{
	close(s->pipe[0]);
	close(s->pipe[1]);
	close(s->epoll);
	close(s->file);
	munmap(s->buf, BUF_SIZE + 8192);
}

/* A few calls; a child of fork() makes them alone. */
void storm_some(struct storm *s, int calls)
{
	while (calls--)
		storm_call(s);
}

static void *work(void *arg)
{
	struct storm s;

	storm_thread_init(&s, (u64)(uintptr_t)arg);
	while (atomic_fetch_add(&n_calls, 1) < wanted)
		storm_call(&s);
	storm_thread_exit(&s);
	running--;
	return NULL;
}

static void on_signal(int sig)
{
	(void)sig;
}

static void on_alarm(int sig)
{
	static const char text[] = "not ok - storm: not finished in time\n";

	(void)sig;
	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		_exit(2);
	_exit(1);
}

/* Whatever blocks is interrupted soon; the last calls must come back, too. */
static void tick(pthread_t *threads, int n)
{
	int i;

	while (running > 0) {
		poll(NULL, 0, 10);
		for (i = 0; i < n; i++)
			pthread_kill(threads[i], SIGUSR1);
	}
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}

/* With a RST, so that nothing but orphans from before is left. */
static void close_all(void)
{
	struct linger lg = { .l_onoff = 1 };
	int i, fd;

	for (i = 0; i < SLOTS; i++) {
		fd = atomic_exchange(&storm_slots[i], -1);
		if (fd < 0)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, sizeof(lg));
		close(fd);
	}
}

static bool verdict(void)
{
	static const char * const names[N_COUNTED] = {
		"sockets", "listens", "connects", "accepts", "bytes received", "namespaces",
		"sysctl writes", "io_uring completions",
	};
	bool good = true;
	int i;

	for (i = 0; i < N_COUNTED; i++) {
		printf("# %lu %s\n", counts[i], names[i]);
		if (!counts[i])
			good = false;
	}
	if (n_restart > 10 + n_calls / 1000) {
		printf("# %lu calls returned ERESTARTSYS\n", n_restart);
		good = false;
	}
	if (n_internal) {
		printf("# %lu calls returned an errno of the kernel's own\n", n_internal);
		good = false;
	}
	return good;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };	/* no SA_RESTART */
	pthread_t threads[MAX_THREADS];
	int c, i, n = 6, limit_s = 300;
	u64 seed = 1;

	if (argc > 1 && !strcmp(argv[1], "--fail-nth"))
		return storm_fail(argc - 1, argv + 1);
	while ((c = getopt(argc, argv, "n:j:s:t:")) != -1) {
		if (c == 'n')
			wanted = strtoull(optarg, NULL, 0);
		else if (c == 'j')
			n = atoi(optarg) > MAX_THREADS ? MAX_THREADS : atoi(optarg);
		else if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 't')
			limit_s = atoi(optarg);
		else
			return 2;
	}
	printf("# seed %llu, %llu calls, %d threads\n", (unsigned long long)seed,
	       (unsigned long long)wanted, n);
	fflush(stdout);
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGIO, &sa, NULL);
	sigaction(SIGURG, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	sa.sa_handler = on_alarm;
	sigaction(SIGALRM, &sa, NULL);
	alarm(limit_s);
	for (i = 0; i < SLOTS; i++)
		storm_slots[i] = -1;
	storm_net_init();
	running = n;
	for (i = 0; i < n; i++) {
		if (pthread_create(&threads[i], NULL, work,
				   (void *)(uintptr_t)(seed * 1000003 + i * 7919))) {
			perror("pthread_create");
			return 2;
		}
	}
	tick(threads, n);
	close_all();
	storm_net_exit();
	return !verdict();
}
