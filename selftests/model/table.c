/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Prints the table of lib/process.c as table.pml has it, for process.pml.
 */
#include <stdio.h>

#include "process.h"

#define NAME(name) [name] = #name

static const char *const states[PT_STATE_MAX] = {
	NAME(PT_STATE_RUNNING),
	NAME(PT_STATE_ZOMBIE),
	NAME(PT_STATE_OURS),
	NAME(PT_STATE_REAPED),
};

static const char *const seens[PT_SEEN_MAX] = {
	NAME(PT_SEEN_STATUS), NAME(PT_SEEN_EXIT), NAME(PT_SEEN_REAP),
	NAME(PT_SEEN_STOLEN), NAME(PT_SEEN_ACK),
};

/* By number of the bit. */
static const char *const deeds[] = {
	"PT_DO_EXITED",
	"PT_DO_REAPED",
	"PT_DO_REAP",
};

static void print_names(const char *const *names, size_t n)
{
	for (size_t i = 1; i < n; i++)
		printf("#define %s %zu\n", pt_name(names, n, i), i);
}

static void print_does(unsigned int does)
{
	const char *before = "";

	if (does == 0)
		printf("0");
	for (unsigned int i = 0; does >> i != 0; i++) {
		if (!(does & BIT(i)))
			continue;
		printf("%s%s", before, pt_name(deeds, ARRAY_SIZE(deeds), i));
		before = " | ";
	}
}

static void print_cell(unsigned int state, unsigned int seen)
{
	struct pt_cell cell = pt_process_after(state, seen);

	printf("\t:: state == %s && saw == %s ->\n",
	       pt_name(states, PT_STATE_MAX, state),
	       pt_name(seens, PT_SEEN_MAX, seen));
	printf("\t\tstate = %s; does = ",
	       pt_name(states, PT_STATE_MAX, cell.state));
	print_does(cell.does);
	printf("\n");
}

int main(void)
{
	printf("/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */\n"
	       "/* What table.c prints of lib/process.c; not to be edited. */\n");
	print_names(states, PT_STATE_MAX);
	print_names(seens, PT_SEEN_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(deeds); i++)
		printf("#define %s %u\n", deeds[i], 1U << i);

	printf("\ninline after(saw)\n{\n\tif\n");
	for (unsigned int state = 1; state < PT_STATE_MAX; state++) {
		for (unsigned int seen = 1; seen < PT_SEEN_MAX; seen++)
			print_cell(state, seen);
	}
	printf("\tfi\n}\n");
	return 0;
}
