// SPDX-License-Identifier: GPL-2.0
/*
 * xtcp-run PROGRAM [ARGS]: run a program with libxtcp-preload.so, so that its
 * TCP sockets are AF_XTCP ones. Programs the library cannot reach (statically
 * linked, Go, setuid, another word size) are refused with a reason, unless
 * --fallback allows kernel TCP.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/elf.h>

#ifndef PREFIX
#define PREFIX "/usr/local"
#endif
#ifndef XTCP_VERSION
#define XTCP_VERSION "unknown"
#endif

#define LIBRARY "libxtcp-preload.so"

/* Exit codes of env(1) and timeout(1). */
enum { EXIT_RUN = 125, EXIT_NOEXEC = 126, EXIT_NOENT = 127 };

static void print_help(FILE *out)
{
	fputs("Usage: xtcp-run [--fallback] PROGRAM [ARGS...]\n"
	      "Run PROGRAM with its TCP sockets turned into AF_XTCP ones.\n\n"
	      "  -f, --fallback   use kernel TCP where AF_XTCP cannot be used\n"
	      "  -h, --help       this text\n"
	      "  -V, --version    print the version\n\n"
	      "UDP, UNIX and other sockets are untouched. Programs started by PROGRAM\n"
	      "inherit the setting. Statically linked, Go and setuid programs cannot be\n"
	      "reached. Exit status: PROGRAM's own, or 125 (xtcp-run failed), 126\n"
	      "(PROGRAM cannot be run), 127 (PROGRAM not found).\n", out);
}

static bool find_library(char *path, size_t size)
{
	static const char * const beside[] = { "%s/" LIBRARY, "%s/../lib/" LIBRARY, NULL };
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t i;

	if (len > 0) {
		self[len] = '\0';
		*strrchr(self, '/') = '\0';
		for (i = 0; beside[i]; i++) {
			if ((size_t)snprintf(path, size, beside[i], self) < size &&
			    !access(path, R_OK))
				return true;
		}
	}
	snprintf(path, size, "%s", PREFIX "/lib/" LIBRARY);
	return !access(path, R_OK);
}

/* As execvp() will: a name without a slash is looked up in PATH. */
static bool find_program(const char *name, char *path, size_t size)
{
	const char *dirs = getenv("PATH"), *end;
	struct stat st;

	if (strchr(name, '/')) {
		snprintf(path, size, "%s", name);
		return !stat(path, &st);
	}
	for (dirs = dirs ? dirs : "/bin:/usr/bin"; *dirs; dirs = *end ? end + 1 : end) {
		end = strchrnul(dirs, ':');
		snprintf(path, size, "%.*s/%s", (int)(end - dirs), dirs, name);
		if (!stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK))
			return true;
	}
	return false;
}

static bool elf_has_interpreter(const unsigned char *map, size_t size)
{
	const struct elf64_hdr *eh = (const void *)map;
	const struct elf64_phdr *ph;
	unsigned int i;

	if (eh->e_phentsize != sizeof(*ph) || eh->e_phoff > size ||
	    (size - eh->e_phoff) / sizeof(*ph) < eh->e_phnum)
		return false;
	ph = (const void *)(map + eh->e_phoff);
	for (i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type == PT_INTERP)
			return true;
	}
	return false;
}

/* Go's net package makes its system calls itself, also when libc is linked. */
static bool elf_is_go(const unsigned char *map, size_t size)
{
	/* "\xff Go buildinf:", put together here: this program is not Go. */
	char magic[] = "? Go buildinf:";

	magic[0] = '\xff';
	return !!memmem(map, size, magic, sizeof(magic) - 1);
}

static const char *elf_obstacle(const unsigned char *map, size_t size)
{
	if (size < sizeof(struct elf64_hdr) || memcmp(map, ELFMAG, SELFMAG))
		return NULL;
	if (map[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32))
		return "is built for another word size than " LIBRARY;
	if (map[EI_CLASS] == ELFCLASS64 && !elf_has_interpreter(map, size))
		return "is statically linked";
	if (elf_is_go(map, size))
		return "is a Go program, which makes its system calls itself";
	return NULL;
}

/* "#!interpreter [arg]": what runs is the interpreter. */
static bool script_interpreter(const char *map, size_t size, char *path, size_t room)
{
	const char *start, *end = map + (size < 255 ? size : 255);

	if (size < 3 || map[0] != '#' || map[1] != '!')
		return false;
	for (start = map + 2; start < end && (*start == ' ' || *start == '\t'); start++)
		;
	for (map = start; map < end && !strchr(" \t\n", *map); map++)
		;
	snprintf(path, room, "%.*s", (int)(map - start), start);
	return true;
}

/* Why the library would not reach the program, or NULL. */
static const char *obstacle(char *path, size_t room)
{
	const char *why = NULL;
	bool again = true;
	int depth, fd;
	struct stat st;
	void *map;

	/* The dynamic loader can be run itself, and then loads a program. */
	if (!fnmatch("*/ld[-.]*so*", path, 0))
		return NULL;
	for (depth = 0; again && depth < 4; depth++) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return NULL;	/* unreadable but runnable: let it try */
		again = false;
		if (!fstat(fd, &st) && st.st_size > 0) {
			if (st.st_mode & (S_ISUID | S_ISGID) && geteuid())
				why = "is setuid or setgid, the loader ignores LD_PRELOAD";
			map = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
			if (map != MAP_FAILED) {
				again = script_interpreter(map, st.st_size, path, room);
				why = why ? why : elf_obstacle(map, st.st_size);
				munmap(map, st.st_size);
			}
		}
		close(fd);
	}
	return why;
}

/* Adds the library behind what is there, so that earlier interposers stay first. */
static bool set_preload(const char *library)
{
	const char *old = getenv("LD_PRELOAD");
	bool ok;
	char *value;

	if (!old || !*old)
		return !setenv("LD_PRELOAD", library, 1);
	if (strstr(old, library))
		return true;
	if (asprintf(&value, "%s:%s", old, library) < 0)
		return false;
	ok = !setenv("LD_PRELOAD", value, 1);
	free(value);
	return ok;
}

/* A module loaded with family= sits in another slot than the header says. */
static void set_family(void)
{
	char number[16] = "";
	FILE *f = fopen("/sys/module/xtcp/parameters/family", "re");

	if (!f)
		return;
	if (fscanf(f, "%15[0-9]", number) == 1)
		setenv("XTCP_FAMILY", number, 1);
	fclose(f);
}

static bool parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "fallback", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ }
	};
	bool fallback = false;
	int c;

	while ((c = getopt_long(argc, argv, "+fhV", options, NULL)) != -1) {
		switch (c) {
		case 'f':
			fallback = true;
			break;
		case 'h':
			print_help(stdout);
			exit(0);
		case 'V':
			puts("xtcp-run " XTCP_VERSION);
			exit(0);
		default:
			print_help(stderr);
			exit(EXIT_RUN);
		}
	}
	if (optind == argc) {
		print_help(stderr);
		exit(EXIT_RUN);
	}
	return fallback;
}

int main(int argc, char **argv)
{
	char library[PATH_MAX + sizeof(LIBRARY) + 8], path[PATH_MAX], program[PATH_MAX];
	bool fallback = parse(argc, argv);
	const char *why;

	argv += optind;
	if (!find_library(library, sizeof(library))) {
		fprintf(stderr, "xtcp-run: cannot find %s\n", LIBRARY);
		return EXIT_RUN;
	}
	if (strpbrk(library, " :")) {
		fprintf(stderr, "xtcp-run: LD_PRELOAD cannot hold '%s': space or colon\n", library);
		return EXIT_RUN;
	}
	if (!find_program(argv[0], path, sizeof(path))) {
		fprintf(stderr, "xtcp-run: %s: not found\n", argv[0]);
		return EXIT_NOENT;
	}
	snprintf(program, sizeof(program), "%s", path);
	why = obstacle(path, sizeof(path));
	if (why) {
		fprintf(stderr, "xtcp-run: %s %s; %s\n", path, why,
			fallback ? "it will use kernel TCP" : "not run (see --fallback)");
		if (!fallback)
			return EXIT_NOEXEC;
	}
	set_family();
	if (fallback)
		setenv("XTCP_FALLBACK", "1", 1);
	else
		unsetenv("XTCP_FALLBACK");
	if (!set_preload(library)) {
		perror("xtcp-run: LD_PRELOAD");
		return EXIT_RUN;
	}
	execv(program, argv);
	fprintf(stderr, "xtcp-run: %s: %s\n", argv[0], strerror(errno));
	return errno == ENOENT ? EXIT_NOENT : EXIT_NOEXEC;
}
