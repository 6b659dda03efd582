// SPDX-License-Identifier: GPL-2.0
/*
 * xtcp-trace: what AF_XTCP does, live, as a ladder.
 *
 * Works in a tracing instance of its own, so that it disturbs nobody else's
 * tracing, and takes the instance away again when it ends.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "xtcp_trace.h"

#define PREFIX_DIR	"xtcp-trace."
#define POLL_MS		100		/* also how late an event may be shown, at worst */

static const char usage_text[] =
"usage: xtcp-trace [options]\n"
"Draws the connections of AF_XTCP as ladders while they live: segments, states,\n"
"timers, retransmissions, drops with their reasons. This end is on the left.\n"
"  -p PORT         only connections with this port, at either end\n"
"  -a ADDRESS      only connections with this address, at either end\n"
"  -n NETNS        only this network namespace: a path, or the inode's number\n"
"  -c LINES        end after so many lines\n"
"  -t SECONDS      end after so long\n"
"  -T              also show timers when they are armed\n"
"  -v              also show windows, and segments joined by GSO or GRO\n"
"  -i FILE         draw what trace_pipe gave and was saved in FILE (-: stdin)\n"
"  --color=WHEN    auto (the default: on a terminal), always, never\n"
"Says \"tracing\" on stderr when it is ready. Needs root.\n";

static struct {
	unsigned long port, lines;
	bool has_addr;
	struct in6_addr addr;
	unsigned long netns;
	double seconds;
	const char *input;
} want;

static char instance[300];		/* our tracing instance, "" if there is none */
static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

static bool write_file(const char *name, const char *text)
{
	char path[400];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", instance, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text);
}

static void cleanup(void)
{
	if (!instance[0])
		return;
	write_file("events/xtcp/enable", "0");
	if (rmdir(instance))
		fprintf(stderr, "xtcp-trace: %s stays: %s\n", instance, strerror(errno));
	instance[0] = 0;
}

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("xtcp-trace: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	cleanup();
	exit(1);
}

static const char *tracefs(void)
{
	static const char dir[] = "/sys/kernel/tracing";

	if (!access("/sys/kernel/tracing/instances", F_OK))
		return dir;
	if (!access("/sys/kernel/debug/tracing/instances", F_OK))
		return "/sys/kernel/debug/tracing";
	if (geteuid())
		die("needs root");
	if (mount("tracefs", dir, "tracefs", 0, NULL))
		die("no tracefs: %s", strerror(errno));
	return dir;
}

/* Instances of those who were killed and could not clean up. */
static void remove_stale(const char *root)
{
	char path[300];
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/instances", root);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		int pid;

		if (strncmp(d->d_name, PREFIX_DIR, strlen(PREFIX_DIR)))
			continue;
		pid = atoi(d->d_name + strlen(PREFIX_DIR));
		if (pid <= 0 || !kill(pid, 0) || errno != ESRCH)
			continue;
		snprintf(instance, sizeof(instance), "%s/instances/%.60s", root, d->d_name);
		cleanup();
	}
	if (dir)
		closedir(dir);
}

/* The kernel filters by port and namespace, so that others' events cost no buffer. */
static void set_filter(void)
{
	char text[128] = "";
	int n = 0;

	if (want.port)
		n = snprintf(text, sizeof(text), "(lport == %lu || fport == %lu)", want.port,
			     want.port);
	if (want.netns)
		snprintf(text + n, sizeof(text) - n, "%snetns == %lu", n ? " && " : "",
			 want.netns);
	if (text[0] && !write_file("events/xtcp/filter", text))
		die("filter: %s", strerror(errno));
}

static int start(void)
{
	const char *root = tracefs();
	char path[400];
	int fd;

	remove_stale(root);
	snprintf(instance, sizeof(instance), "%s/instances/%s%d", root, PREFIX_DIR, getpid());
	if (mkdir(instance, 0700)) {
		int err = errno;

		instance[0] = 0;
		die("tracing instance: %s", strerror(err));
	}
	snprintf(path, sizeof(path), "%s/events/xtcp", instance);
	if (access(path, F_OK))
		die("the kernel has no xtcp events: is the module loaded?");
	write_file("trace_clock", "mono");
	write_file("buffer_percent", "0");	/* wake us for every event; newer kernels */
	set_filter();
	snprintf(path, sizeof(path), "%s/trace_pipe", instance);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	if (!write_file("events/xtcp/enable", "1"))
		die("enabling the events: %s", strerror(errno));
	fputs("xtcp-trace: tracing\n", stderr);
	return fd;
}

static bool wanted(const struct event *e)
{
	if (e->kind == EV_LOST)
		return true;
	if (want.port && e->lport != want.port && e->fport != want.port)
		return false;
	if (want.netns && e->netns != want.netns)
		return false;
	return !want.has_addr || IN6_ARE_ADDR_EQUAL(&e->laddr, &want.addr) ||
	       IN6_ARE_ADDR_EQUAL(&e->faddr, &want.addr);
}

/* True when enough lines were drawn. */
static bool take_line(const char *line)
{
	struct event e;

	if (!trace_parse(line, &e) || !wanted(&e))
		return false;
	return ladder_event(&e) >= want.lines && want.lines;
}

/*
 * Whole lines of what was read so far are drawn, the rest waits for its end. A
 * line that does not fit the buffer is none of ours and is passed over.
 */
static bool take_bytes(const char *bytes, size_t n)
{
	static char buf[4096];
	static size_t have;
	static bool skip;
	size_t i;

	for (i = 0; i < n; i++) {
		if (bytes[i] != '\n') {
			if (have < sizeof(buf) - 1)
				buf[have++] = bytes[i] ? bytes[i] : '?';
			else
				skip = true;
			continue;
		}
		buf[have] = 0;
		have = 0;
		if (skip) {
			skip = false;
			continue;
		}
		if (take_line(buf))
			return true;
	}
	return false;
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Until there is something to read, somebody stops us or time is up. */
static bool wait_input(int fd, double end_s)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	fflush(stdout);
	if (ferror(stdout) || stopped || (want.seconds > 0 && now_s() >= end_s))
		return false;
	poll(&p, 1, POLL_MS);
	return true;
}

static void run(int fd)
{
	double end_s = now_s() + want.seconds;
	bool last = false;
	char bytes[8192];
	ssize_t n;

	for (;;) {
		n = read(fd, bytes, sizeof(bytes));
		if (n > 0) {
			if (take_bytes(bytes, n))
				return;
			continue;
		}
		if ((!n && want.input) || (n < 0 && errno != EAGAIN && errno != EINTR) || last)
			return;
		/* what came until we were stopped is still drawn */
		if (!wait_input(fd, end_s))
			last = true;
	}
}

static void parse_addr(const char *text)
{
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		want.addr.s6_addr[10] = 0xff;
		want.addr.s6_addr[11] = 0xff;
		memcpy(&want.addr.s6_addr[12], &v4, sizeof(v4));
	} else if (inet_pton(AF_INET6, text, &want.addr) != 1) {
		die("%s is no address", text);
	}
	want.has_addr = true;
}

static unsigned long parse_number(const char *text, unsigned long max)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-' || !n || n > max)
		die("%s is not a number from 1 to %lu", text, max);
	return n;
}

static unsigned long parse_netns(const char *text)
{
	struct stat st;

	if (strchr(text, '/')) {
		if (stat(text, &st))
			die("%s: %s", text, strerror(errno));
		return st.st_ino;
	}
	return parse_number(text, UINT32_MAX);
}

static bool parse_color(const char *text)
{
	if (!strcmp(text, "always"))
		return true;
	if (!strcmp(text, "never"))
		return false;
	if (strcmp(text, "auto"))
		die("--color is auto, always or never");
	return isatty(STDOUT_FILENO);
}

static void parse_args(int argc, char **argv, struct ladder_opts *o)
{
	static const struct option longs[] = {
		{ "color", required_argument, NULL, 'C' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int c;

	o->color = parse_color("auto");
	while ((c = getopt_long(argc, argv, "p:a:n:c:t:Tvi:h", longs, NULL)) != -1) {
		switch (c) {
		case 'p':
			want.port = parse_number(optarg, UINT16_MAX);
			break;
		case 'a':
			parse_addr(optarg);
			break;
		case 'n':
			want.netns = parse_netns(optarg);
			break;
		case 'c':
			want.lines = parse_number(optarg, UINT32_MAX);
			break;
		case 't':
			want.seconds = parse_number(optarg, UINT32_MAX);
			break;
		case 'T':
			o->timers = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'i':
			want.input = optarg;
			break;
		case 'C':
			o->color = parse_color(optarg);
			break;
		case 'h':
			fputs(usage_text, stdout);
			exit(0);
		default:
			fputs(usage_text, stderr);
			exit(2);
		}
	}
	if (optind < argc) {
		fputs(usage_text, stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct ladder_opts o = { };
	int fd;

	parse_args(argc, argv, &o);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	sigaction(SIGPIPE, &sa, NULL);
	ladder_init(&o);
	if (want.input) {
		fd = strcmp(want.input, "-") ? open(want.input, O_RDONLY | O_CLOEXEC) :
					       STDIN_FILENO;
		if (fd < 0)
			die("%s: %s", want.input, strerror(errno));
	} else {
		fd = start();
	}
	run(fd);
	fflush(stdout);
	close(fd);
	cleanup();
	return 0;
}
