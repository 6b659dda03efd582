// SPDX-License-Identifier: GPL-2.0
/*
 * sim [--seed N] [--count N] [--jobs N] [--nth] [--stats] [--digest] [--verbose]
 * sim --seed N --ladder [--small] [--fail-at N]
 *
 * Runs seeds N, N+1, ...; the first that fails is run again with its packet
 * ladder printed, and ends the program with status 1. --nth runs each seed
 * (with short streams) once more for each of its allocations, which then fails. --digest
 * adds a sum over all packets and the times they were sent at.
 */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"

static struct sim sim;

static const char *const seen_text[] = {
#define SIM_SEEN(NAME, text) text,
#include "seen.h"
#undef SIM_SEEN
};

struct totals {
	u64 seeds, runs, packets, bytes, steps, users, polite, errors;
	u64 seen[SEEN_NR], failed[AL_NR];
	u64 digest;
};

struct options {
	u64 seed, count, fail_at;
	unsigned int jobs;
	bool ladder, verbose, small, nth, stats, digest;
};

static const char *replay_text(void)
{
	static char buf[96];
	int n = snprintf(buf, sizeof(buf), "sim --seed %llu --ladder%s", sim.seed,
			 sim.small ? " --small" : "");

	if (sim.fail_at)
		snprintf(buf + n, sizeof(buf) - n, " --fail-at %llu", sim.fail_at);
	return buf;
}

/* A sanitizer's report must name the seed too. */
void __asan_on_error(void)
{
	fprintf(stderr, "seed %llu (replay: %s)\n", sim.seed, replay_text());
}

/* A failed run lies as it fell: a leak report would only hide the reason. */
static void __noreturn stop(void)
{
	fflush(NULL);
	_exit(1);
}

static void add(struct totals *t, const struct sim *s)
{
	unsigned int i;

	t->runs++;
	t->packets += s->packets;
	t->bytes += s->bytes;
	t->steps += s->steps;
	t->users += s->users;
	t->polite += s->polite;
	t->errors += s->errors;
	t->digest += s->digest;
	for (i = 0; i < SEEN_NR; i++)
		t->seen[i] += s->seen >> i & 1;
	if (s->failed_what >= 0)
		t->failed[s->failed_what]++;
}

static void run_one(struct totals *t, u64 seed)
{
	const char *why = sim_run(&sim, seed);

	if (why) {
		printf("seed %llu: %s\n", seed, why);
		sim.ladder = true;
		why = sim_run(&sim, seed);
		printf("not ok - seed %llu: %s (replay: %s)\n", seed,
		       why ? why : "passes when run again", replay_text());
		stop();
	}
	add(t, &sim);
}

/* Each allocation of the seed fails once. */
static void run_nth(struct totals *t, u64 seed)
{
	u64 n, i;

	run_one(t, seed);
	n = sim.n_alloc;
	for (i = 1; i <= n; i++) {
		sim.fail_at = i;
		run_one(t, seed);
	}
	sim.fail_at = 0;
}

static void run_many(const struct options *o, struct totals *t, u64 first, u64 n)
{
	u64 seed;

	sim.small = o->small || o->nth;
	for (seed = first; seed < first + n; seed++) {
		if (o->nth)
			run_nth(t, seed);
		else
			run_one(t, seed);
		t->seeds++;
		if (o->verbose)
			printf("seed %llu: %llu packets, %llu bytes, %llu allocs, %s%llu errors\n",
			       seed, sim.packets, sim.bytes, sim.n_alloc,
			       sim.hostile ? "hostile, " : sim.calm ? "calm, " : "", sim.errors);
	}
	free(sim.heap);
	memset(&sim, 0, sizeof(sim));
}

/* The seeds in @o->jobs slices, one process each; the first that fails ends all. */
static bool run_jobs(const struct options *o, struct totals *t)
{
	u64 each = DIV_ROUND_UP(o->count, o->jobs), done = 0;
	unsigned int i, j, alive = 0;
	bool ok = true;
	pid_t pid[64];
	int fd[2];

	if (pipe(fd))
		return false;
	fflush(NULL);
	for (i = 0; i < o->jobs && done < o->count; i++, done += each) {
		struct totals part = { 0 };

		pid[i] = fork();
		if (pid[i] < 0)
			return false;
		alive++;
		if (pid[i])
			continue;
		run_many(o, &part, o->seed + done, min(each, o->count - done));
		if (write(fd[1], &part, sizeof(part)) != sizeof(part))
			stop();
		fflush(NULL);
		_exit(0);
	}
	while (alive) {
		u64 part[sizeof(*t) / sizeof(u64)];
		int status;

		if (wait(&status) < 0)
			return false;
		alive--;
		if (status) {
			ok = false;
			for (j = 0; j < i; j++)
				kill(pid[j], SIGTERM);
			continue;
		}
		if (read(fd[0], part, sizeof(part)) != sizeof(part))
			return false;
		for (j = 0; j < ARRAY_SIZE(part); j++)
			((u64 *)t)[j] += part[j];
	}
	return ok;
}

static bool report(const struct options *o, const struct totals *t, double s)
{
	unsigned int i;
	bool ok = true;

	printf("ok - %llu seeds", t->seeds);
	if (o->nth) {
		printf(" with each allocation failing once, %llu runs", t->runs);
		for (i = 0; i < AL_NR; i++)
			printf("%s%llu of %s", i ? ", " : ": ", t->failed[i], alloc_names[i]);
	}
	printf(": %llu packets, %llu bytes in order, %llu steps, %.1f s", t->packets, t->bytes,
	       t->steps, s);
	printf("; %llu of %llu polite users saw an error\n", t->errors, t->polite);
	if (o->digest)
		printf("# digest %016llx\n", t->digest);
	for (i = 0; i < SEEN_NR && o->stats; i++)
		printf("# %10llu  %s\n", t->seen[i], seen_text[i]);
	/* reporting an error is allowed in bad weather; doing so often is not */
	if (t->seeds >= 1000 && t->errors * 200 > t->polite) {
		printf("not ok - more than one polite user in 200 saw an error\n");
		ok = false;
	}
	for (i = 0; i < SEEN_NR && t->seeds >= 5000; i++) {
		if (!t->seen[i]) {
			printf("not ok - never seen: %s\n", seen_text[i]);
			ok = false;
		}
	}
	for (i = 0; i < AL_NR && o->nth && t->seeds >= 50; i++) {
		if (!t->failed[i]) {
			printf("not ok - no %s ever failed\n", alloc_names[i]);
			ok = false;
		}
	}
	return ok;
}

static int ladder(const struct options *o)
{
	const char *why;

	sim.ladder = true;
	sim.small = o->small;
	sim.fail_at = o->fail_at;
	why = sim_run(&sim, o->seed);
	printf("%s - seed %llu%s%s\n", why ? "not ok" : "ok", o->seed, why ? ": " : "",
	       why ? why : "");
	if (why)
		stop();
	free(sim.heap);
	return 0;
}

static bool parse(struct options *o, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--seed") && i + 1 < argc)
			o->seed = strtoull(argv[++i], NULL, 0);
		else if (!strcmp(argv[i], "--count") && i + 1 < argc)
			o->count = strtoull(argv[++i], NULL, 0);
		else if (!strcmp(argv[i], "--fail-at") && i + 1 < argc)
			o->fail_at = strtoull(argv[++i], NULL, 0);
		else if (!strcmp(argv[i], "--jobs") && i + 1 < argc)
			o->jobs = strtoul(argv[++i], NULL, 0);
		else if (!strcmp(argv[i], "--ladder"))
			o->ladder = true;
		else if (!strcmp(argv[i], "--verbose"))
			o->verbose = true;
		else if (!strcmp(argv[i], "--small"))
			o->small = true;
		else if (!strcmp(argv[i], "--nth"))
			o->nth = true;
		else if (!strcmp(argv[i], "--stats"))
			o->stats = true;
		else if (!strcmp(argv[i], "--digest"))
			o->digest = true;
		else
			return false;
	}
	return o->count && o->jobs && o->jobs <= 64;
}

int main(int argc, char **argv)
{
	struct options o = { .seed = 1, .count = 1, .jobs = 1 };
	struct totals t = { 0 };
	struct timespec a, b;

	if (!parse(&o, argc, argv)) {
		fputs("usage: sim [--seed N] [--count N] [--jobs N] [--nth] [--stats] [--digest]\n"
		      "           [--verbose]\n"
		      "       sim --seed N --ladder [--small] [--fail-at N]\n", stderr);
		return 2;
	}
	if (o.ladder)
		return ladder(&o);
	clock_gettime(CLOCK_MONOTONIC, &a);
	if (o.jobs == 1)
		run_many(&o, &t, o.seed, o.count);
	else if (!run_jobs(&o, &t))
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &b);
	return !report(&o, &t, b.tv_sec - a.tv_sec + (b.tv_nsec - a.tv_nsec) / 1e9);
}
