// SPDX-License-Identifier: GPL-2.0
/* The frame of the differential tests: see diff.h. */
#include <sched.h>
#include <stdarg.h>
#include <net/if.h>

#include "diff.h"

#define TRACE_MAX	(256 * 1024)

/* Marks a line that broke an expectation of the scenario itself. */
#define UNEXPECTED	"  <-- expected "

static bool other_is_tcp;

static void write_sysctl(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	/* Not every kernel has every knob. */
	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		perror(path);
	close(fd);
}

/* Where AF_XTCP's defaults differ on purpose, kernel TCP is set to them. */
static void level_defaults(void)
{
	static const struct {
		const char *rmem, *wmem;
	} families[] = {
		{ "/proc/sys/net/ipv4/tcp_rmem", "/proc/sys/net/ipv4/tcp_wmem" },
		{ "/proc/sys/net/xtcp/tcp_rmem", "/proc/sys/net/xtcp/tcp_wmem" },
	};
	unsigned int i;

	/* 63 s of SYN retransmission, as documented everywhere (SEEDS D-1) */
	write_sysctl("/proc/sys/net/ipv4/tcp_syn_retries", "5");
	write_sysctl("/proc/sys/net/ipv4/tcp_syn_linear_timeouts", "0");
	/* The machine may have been tuned, or be small; these are the defaults of a large one. */
	for (i = 0; i < ARRAY_SIZE(families); i++) {
		write_sysctl(families[i].rmem, "4096 131072 6291456");
		write_sysctl(families[i].wmem, "4096 16384 4194304");
	}
}

/* A netns of our own: ports, addresses and counters start from nothing. */
void diff_init(int argc, char **argv)
{
	const char *other = getenv("DIFF_OTHER");
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd;

	(void)argc;
	other_is_tcp = other && !strcmp(other, "tcp");
	signal(SIGPIPE, SIG_DFL);
	if (unshare(CLONE_NEWNET)) {
		perror("unshare(CLONE_NEWNET): run as root");
		exit(1);
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr)) {
		perror(argv[0]);
		exit(1);
	}
	close(fd);
	level_defaults();
	if (other_is_tcp)
		return;
	fd = socket(AF_XTCP, SOCK_STREAM, XTCP_PROTO_IPV4);
	if (fd < 0) {
		perror("socket(AF_XTCP): is the module loaded?");
		exit(1);
	}
	close(fd);
}

bool diff_skipped(const char *name)
{
	const char *only = getenv("DIFF_ONLY");

	return only && !strstr(name, only);
}

static void run_child(struct run *t, scenario_fn fn)
{
	const char *limit = getenv("DIFF_TIMEOUT");

	alarm(limit ? atoi(limit) : DIFF_TIMEOUT_S);
	fn(t);
	_exit(0);
}

/* Runs one side in a child; its trace is in buf at the end. */
static int run_side(struct run *t, scenario_fn fn, char *buf, size_t room)
{
	size_t len = 0;
	int status, p[2];
	ssize_t n;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC))
		return -1;
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -1;
	if (!pid) {
		close(p[0]);
		t->out = p[1];
		run_child(t, fn);
	}
	close(p[1]);
	while (len < room - 256 && (n = read(p[0], buf + len, room - 256 - len)) > 0)
		len += n;
	close(p[0]);
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	if (WIFSIGNALED(status))
		len += snprintf(buf + len, 256, "ended by signal %d%s%snothing\n",
				WTERMSIG(status),
				WTERMSIG(status) == SIGALRM ? " (hung)" : "", UNEXPECTED);
	else if (WEXITSTATUS(status))
		len += snprintf(buf + len, 256, "exit code %d%s0\n",
				WEXITSTATUS(status), UNEXPECTED);
	buf[len] = '\0';
	return 0;
}

static void print_line(const char *mark, const char *line, size_t len)
{
	printf("# %s %.*s\n", mark, (int)len, line);
}

/* Prints the lines that differ or broke an expectation; returns their number. */
static int compare_traces(const char *name, bool v6, const char *a, const char *b)
{
	bool show = !!getenv("DIFF_SHOW");
	int line = 0, bad = 0;

	while (*a || *b) {
		size_t la = strcspn(a, "\n"), lb = strcspn(b, "\n");
		bool same = la == lb && !memcmp(a, b, la);
		bool wrong = memmem(a, la, UNEXPECTED, strlen(UNEXPECTED)) ||
			     memmem(b, lb, UNEXPECTED, strlen(UNEXPECTED));

		line++;
		if ((!same || wrong) && bad++ < 20) {
			printf("# %s %s line %d:\n", name, v6 ? "IPv6" : "IPv4", line);
			print_line("  tcp: ", a, la);
			print_line(other_is_tcp ? "  tcp2:" : "  xtcp:", b, lb);
		} else if (show && same) {
			print_line("  both:", a, la);
		}
		a += la + (a[la] == '\n');
		b += lb + (b[lb] == '\n');
	}
	return bad;
}

int diff_compare(const char *name, bool v6, scenario_fn fn)
{
	struct run kernel = { .v6 = v6, .port = v6 ? 12000 : 10000 };
	struct run other = { .v6 = v6, .xtcp = !other_is_tcp, .port = v6 ? 13000 : 11000 };
	char *a = malloc(TRACE_MAX), *b = malloc(TRACE_MAX);
	int ret;

	if (!a || !b || run_side(&kernel, fn, a, TRACE_MAX) ||
	    run_side(&other, fn, b, TRACE_MAX)) {
		perror(name);
		return -1;
	}
	if (!*a) {
		printf("# %s: empty trace\n", name);
		return -1;
	}
	ret = compare_traces(name, v6, a, b);
	fflush(stdout);
	free(a);
	free(b);
	return ret;
}

const char *errno_text(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "E?";
}

static void put(struct run *t, char *line, int len, int room)
{
	int i;

	if (len > room - 2)
		len = room - 2;
	for (i = 0; i < len; i++) {
		if (line[i] == '\n')
			line[i] = ' ';
	}
	line[len++] = '\n';
	if (write(t->out, line, len) != len)
		_exit(3);
}

void note(struct run *t, const char *fmt, ...)
{
	int saved = errno, len;
	char line[1024];
	va_list args;

	va_start(args, fmt);
	len = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	put(t, line, len, sizeof(line));
	errno = saved;
}

long note_call(struct run *t, const char *text, long ret)
{
	int error = errno;

	if (ret == -1)
		note(t, "%s = -1 %s", text, errno_text(error));
	else
		note(t, "%s = %ld", text, ret);
	errno = error;
	return ret;
}

long note_want(struct run *t, const char *text, long ret, long want, int want_errno)
{
	int error = errno;
	char seen[64], wish[64];

	if (ret == want && (!want_errno || error == want_errno)) {
		errno = error;
		return note_call(t, text, ret);
	}
	snprintf(seen, sizeof(seen), "%ld %s", ret, ret == -1 ? errno_text(error) : "");
	snprintf(wish, sizeof(wish), "%ld %s", want, want_errno ? errno_text(want_errno) : "");
	note(t, "%s = %s%s%s", text, seen, UNEXPECTED, wish);
	errno = error;
	return ret;
}

/* Names in a fixed order, so that masks compare as text. */
const char *poll_text(unsigned int bits)
{
	static const struct { unsigned int bit; const char *name; } names[] = {
		{ POLLIN, "IN" }, { POLLPRI, "PRI" }, { POLLOUT, "OUT" },
		{ POLLRDNORM, "RDNORM" }, { POLLRDBAND, "RDBAND" },
		{ POLLWRNORM, "WRNORM" }, { POLLWRBAND, "WRBAND" },
		{ POLLRDHUP, "RDHUP" }, { POLLERR, "ERR" }, { POLLHUP, "HUP" },
		{ POLLNVAL, "NVAL" },
	};
	static __thread char text[128];
	size_t i, len = 0;

	text[0] = '\0';
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (bits & names[i].bit)
			len += snprintf(text + len, sizeof(text) - len, "%s%s",
					len ? "|" : "", names[i].name);
	}
	return len ? text : "none";
}
