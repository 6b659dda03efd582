// SPDX-License-Identifier: GPL-2.0
/*
 * Says what kind of sockets this process gets: run under xtcp-run by
 * preload_test.sh. One line per case: NAME PROTOCOL-NUMBER or NAME ERRNO-NAME.
 *
 *	preload_probe		all cases
 *	preload_probe exec	the one an executed program prints
 *	preload_probe close2	socket() with stderr closed
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *name, int fd)
{
	int protocol = -1, error = errno;
	socklen_t len = sizeof(protocol);

	if (fd < 0)
		printf("%s %s\n", name, strerrorname_np(error));
	else if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len))
		printf("%s none\n", name);
	else
		printf("%s %d %s%s\n", name, protocol,
		       fcntl(fd, F_GETFL) & O_NONBLOCK ? "nonblock" : "",
		       fcntl(fd, F_GETFD) & FD_CLOEXEC ? "cloexec" : "");
	if (fd >= 0)
		close(fd);
	fflush(stdout);
}

static void *in_thread(void *arg)
{
	(void)arg;
	return (void *)(long)socket(AF_INET, SOCK_STREAM, 0);
}

/* socket() found the way a plug-in finds it. */
static int by_dlsym(void)
{
	void *libc = dlopen("libpthread.so.0", RTLD_NOW | RTLD_GLOBAL);
	int (*fn)(int domain, int type, int protocol);

	*(void **)&fn = dlsym(RTLD_DEFAULT, "socket");
	return libc && fn ? fn(AF_INET, SOCK_STREAM, 0) : -1;
}

/* SO_ZEROCOPY, by whichever name: a program may always ask for it where TCP has it. */
static void say_zerocopy(const char *name, int domain)
{
	int fd = socket(domain, SOCK_STREAM, 0), on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)))
		printf("%s %s\n", name, strerrorname_np(errno));
	else
		printf("%s yes\n", name);
	if (fd >= 0)
		close(fd);
	fflush(stdout);
}

static void all_cases(const char *self)
{
	pthread_t th[8];
	void *fd;
	int i;

	say("inet", socket(AF_INET, SOCK_STREAM, 0));
	say("inet6", socket(AF_INET6, SOCK_STREAM, 0));
	say("tcp", socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
	say("tcp6", socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP));
	say("flags", socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	say("udp", socket(AF_INET, SOCK_DGRAM, 0));
	say("udp6", socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDP));
	say("unix", socket(AF_UNIX, SOCK_STREAM, 0));
	say("seqpacket", socket(AF_UNIX, SOCK_SEQPACKET, 0));
	say("wild", socket(AF_INET, SOCK_STREAM, 200));
	say("dlsym", by_dlsym());
	say_zerocopy("zerocopy", AF_INET);
	say_zerocopy("zerocopy6", AF_INET6);
	say_zerocopy("zerocopy-unix", AF_UNIX);
	for (i = 0; i < 8; i++)
		pthread_create(&th[i], NULL, in_thread, NULL);
	for (i = 0; i < 8; i++) {
		pthread_join(th[i], &fd);
		say("thread", (int)(long)fd);
	}
	if (!fork()) {
		say("fork", socket(AF_INET, SOCK_STREAM, 0));
		_exit(0);
	}
	wait(NULL);
	if (!fork()) {
		execl(self, self, "exec", NULL);
		_exit(127);
	}
	wait(NULL);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "exec")) {
		say("exec", socket(AF_INET, SOCK_STREAM, 0));
	} else if (argc > 1 && !strcmp(argv[1], "close2")) {
		close(2);
		say("close2", socket(AF_INET, SOCK_STREAM, 0));
	} else {
		all_cases("/proc/self/exe");
	}
	return 0;
}
