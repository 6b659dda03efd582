// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin for QEMU's TCG: instructions of the guest's kernel, by address of the
 * translated block, written to the file out=FILE when the guest ends. The few
 * functions of the interface that it needs are declared here, because Debian has
 * no header for them (include/qemu/qemu-plugin.h in QEMU's sources).
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API_VERSION	1
#define ADD_U64		0		/* QEMU_PLUGIN_INLINE_ADD_U64 */
#define KERNEL_BIT	63
#define N_HEADS		262144

typedef uint64_t plugin_id;
struct qemu_plugin_tb;

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
					   void (*cb)(plugin_id id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_atexit_cb(plugin_id id, void (*cb)(plugin_id id, void *p), void *p);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *ptr,
					      uint64_t imm);

int qemu_plugin_version = API_VERSION;
int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);

/* Never freed: code that is already translated adds to it. */
struct block {
	uint64_t addr, count;
	struct block *next;
};

static struct block *heads[N_HEADS];
static const char *out = "prof.out";

static void block_translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	uint64_t addr = qemu_plugin_tb_vaddr(tb);
	struct block **head = &heads[(addr ^ addr >> 18) % N_HEADS], *b = *head;

	(void)id;
	while (b && b->addr != addr)
		b = b->next;
	if (!b) {
		b = calloc(1, sizeof(*b));
		if (!b)
			return;
		b->addr = addr;
		b->next = *head;
		*head = b;
	}
	qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD_U64, &b->count,
						 qemu_plugin_tb_n_insns(tb));
}

static void guest_ended(plugin_id id, void *p)
{
	FILE *f = fopen(out, "w");
	const struct block *b;
	int i;

	(void)id;
	(void)p;
	if (!f) {
		perror(out);
		return;
	}
	for (i = 0; i < N_HEADS; i++)
		for (b = heads[i]; b; b = b->next)
			if (b->count && b->addr >> KERNEL_BIT)
				fprintf(f, "%016llx %llu\n", (unsigned long long)b->addr,
					(unsigned long long)b->count);
	fclose(f);
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	(void)info;
	if (argc > 0 && !strncmp(argv[0], "out=", 4))
		out = argv[0] + 4;
	qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
	qemu_plugin_register_atexit_cb(id, guest_ended, NULL);
	return 0;
}
