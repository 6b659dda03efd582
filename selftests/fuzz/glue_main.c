// SPDX-License-Identifier: GPL-2.0
/* The part of a target that libFuzzer sees: seeds, a mutator that knows records, failure. */
#include <stdarg.h>

#include "fz.h"

#define SEED_ROOM	4096

void fz_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "fuzz: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	abort();
}

size_t fz_seed_random(unsigned int n, u8 *out, size_t len)
{
	struct rnd r = { n };
	size_t i;

	for (i = 0; i < len; i++)
		out[i] = rnd_u32(&r);
	return len;
}

/* Seeds are made, not kept: TARGET --seeds DIRECTORY */
static void __noreturn write_seeds(const char *dir)
{
	static u8 buf[SEED_ROOM];
	char path[4096];
	unsigned int n;
	size_t len;

	for (n = 0; (len = fz_seed(n, buf, sizeof(buf))); n++) {
		FILE *f;

		snprintf(path, sizeof(path), "%s/seed%04u", dir, n);
		f = fopen(path, "w");
		if (!f || fwrite(buf, 1, len, f) != len || fclose(f)) {
			perror(path);
			exit(1);
		}
	}
	exit(n ? 0 : 1);
}

static void report_missing(void)
{
	const char *what = fz_missing();

	if (what)
		fprintf(stderr, "fuzz: never reached: %s\n", what);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (*argc == 3 && !strcmp((*argv)[1], "--seeds"))
		write_seeds((*argv)[2]);
	atexit(report_missing);
	return 0;
}

/* ---- records */

static size_t records(size_t size)
{
	return size <= fz_shape.head ? 0 : DIV_ROUND_UP(size - fz_shape.head, fz_shape.record);
}

/* One part keeps its size, whatever libFuzzer does to it. */
static void mutate_part(u8 *part, size_t len)
{
	u8 work[256];
	size_t n;

	memcpy(work, part, len);
	n = LLVMFuzzerMutate(work, len, len);
	memcpy(part, work, min(n, len));
}

static size_t insert_record(u8 *data, size_t n, size_t at, const u8 *from)
{
	size_t len = fz_shape.record;
	u8 *rec = data + fz_shape.head, copy[256];

	memcpy(copy, from, len);
	memmove(rec + (at + 1) * len, rec + at * len, (n - at) * len);
	memcpy(rec + at * len, copy, len);
	return n + 1;
}

static void remove_record(u8 *data, size_t n, size_t at)
{
	size_t len = fz_shape.record;
	u8 *rec = data + fz_shape.head;

	memmove(rec + at * len, rec + (at + 1) * len, (n - at - 1) * len);
}

static size_t mutate_records(u8 *data, size_t n, size_t room, struct rnd *r)
{
	size_t len = fz_shape.record, at = rnd_below(r, n);
	u8 *rec = data + fz_shape.head, fresh[256];

	switch (rnd_below(r, 8)) {
	case 0:
		if (n == room)
			break;
		return insert_record(data, n, rnd_below(r, n + 1), rec + at * len);
	case 1:
		if (n == room)
			break;
		fz_seed_random(rnd_u32(r), fresh, len);
		return insert_record(data, n, rnd_below(r, n + 1), fresh);
	case 2:
		if (n == 1)
			break;
		remove_record(data, n, at);
		return n - 1;
	case 3:
		rec[at * len] = rnd_u32(r);	/* another step with the same numbers */
		return n;
	}
	mutate_part(rec + at * len, len);
	return n;
}

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max, unsigned int seed)
{
	struct rnd r = { seed };
	size_t n, full, room;

	if (!fz_shape.record || max < fz_shape.head + fz_shape.record)
		return LLVMFuzzerMutate(data, size, max);
	room = (max - fz_shape.head) / fz_shape.record;
	n = min(max_t(size_t, records(size), 1), room);
	full = fz_shape.head + n * fz_shape.record;
	if (full > size)
		memset(data + size, 0, full - size);
	if (!rnd_below(&r, 4))
		mutate_part(data, fz_shape.head);
	else
		n = mutate_records(data, n, room, &r);
	return fz_shape.head + n * fz_shape.record;
}

/* The first steps of one, the last of the other. */
size_t LLVMFuzzerCustomCrossOver(const u8 *a, size_t na, const u8 *b, size_t nb, u8 *out,
				 size_t max, unsigned int seed)
{
	size_t len = fz_shape.record ? fz_shape.record : 1, head, tail, n;
	struct rnd r = { seed };

	head = fz_shape.head + rnd_below(&r, (u32)(na / len + 1)) * len;
	head = min(min(head, na), max);
	tail = fz_shape.head + rnd_below(&r, (u32)(nb / len + 1)) * len;
	tail = min(tail, nb);
	n = min(nb - tail, max - head);
	memcpy(out, a, head);
	memcpy(out + head, b + tail, n);
	return head + n;
}
