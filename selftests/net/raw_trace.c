// SPDX-License-Identifier: GPL-2.0
/* Tracepoints of this test's namespace, in a tracing instance of its own. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "raw_peer.h"

#define TRACING "/sys/kernel/tracing/instances"

static char dir[64];

static void put_file(const char *name, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_TRUNC);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		FAIL("%s: %m", path);
	close(fd);
}

static void trace_end(void)
{
	char path[128];
	int fd;

	if (!dir[0])
		return;
	snprintf(path, sizeof(path), "%s/events/xtcp/enable", dir);
	fd = open(path, O_WRONLY);
	if (fd >= 0 && write(fd, "0", 1) < 0)
		raw_log("%s: %m", path);
	if (fd >= 0)
		close(fd);
	rmdir(dir);
	dir[0] = 0;
}

static void put_quietly(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		raw_log("%s: %m", path);
	close(fd);
}

/**
 * raw_trace_hold() - keep the tracepoints switched on while tests come and go
 * @on: before the first of them; else after the last
 *
 * Each test that traces would switch them, which rewrites the code that others
 * are just running on another processor; emulators do not survive that always.
 * Two holders, because a second user of a tracepoint rewrites its call, too.
 */
void raw_trace_hold(bool on)
{
	char path[128];
	int i;

	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), TRACING "/raw.hold%d/events/xtcp/enable", i);
		if (!on)
			put_quietly(path, "0");
		snprintf(path, sizeof(path), TRACING "/raw.hold%d", i);
		if (!on) {
			rmdir(path);
			continue;
		}
		if (mkdir(path, 0700))
			continue;
		snprintf(path, sizeof(path), TRACING "/raw.hold%d/buffer_size_kb", i);
		put_quietly(path, "4");
		snprintf(path, sizeof(path), TRACING "/raw.hold%d/events/xtcp/enable", i);
		put_quietly(path, "1");
	}
}

/**
 * raw_trace_start() - trace what AF_XTCP does in this namespace from now on
 */
void raw_trace_start(void)
{
	char filter[48];
	struct stat st;

	CHECK(!stat("/proc/self/ns/net", &st));
	snprintf(dir, sizeof(dir), TRACING "/raw.%d", getpid());
	if (mkdir(dir, 0700)) {
		dir[0] = 0;
		FAIL(TRACING ": %m");
	}
	raw_at_exit = trace_end;
	snprintf(filter, sizeof(filter), "netns == %lu", (unsigned long)st.st_ino);
	put_file("events/xtcp/filter", filter);
	put_file("events/xtcp/enable", "1");
}

/**
 * raw_trace_clear() - forget what was traced so far
 */
void raw_trace_clear(void)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/trace", dir);
	fd = open(path, O_WRONLY | O_TRUNC);
	if (fd < 0)
		FAIL("%s: %m", path);
	close(fd);
}

/**
 * raw_trace_count() - how many lines of the trace hold both texts
 * @event: such as "xtcp_drop: "
 * @text: such as "reason=Csum", followed by a blank or the line's end; or ""
 *
 * Return: their number
 */
int raw_trace_count(const char *event, const char *text)
{
	char path[128], line[1024];
	int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/trace", dir);
	f = fopen(path, "r");
	if (!f)
		FAIL("%s: %m", path);
	while (fgets(line, sizeof(line), f)) {
		char *at = strstr(line, event);

		while (at && *text && (at = strstr(at, text))) {
			at += strlen(text);
			if (*at == ' ' || *at == '\n')
				break;
		}
		n += !!at;
	}
	fclose(f);
	return n;
}
