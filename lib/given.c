/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "given.h"

#include <stdatomic.h>

#include "sys.h"
#include "text.h"

#define GIVEN_FIRST 3 /* SD_LISTEN_FDS_START */

/* Those of them that were taken; shared by all our trackers, never freed. */
struct taken {
	size_t n;
	atomic_bool each[];
};

static struct taken *_Atomic all_taken;

static struct taken *taken_of(size_t n)
{
	struct taken *taken = atomic_load(&all_taken), *none = NULL;

	if (taken)
		return taken;
	taken = calloc(1, sizeof(*taken) + n * sizeof(taken->each[0]));
	if (!taken)
		return NULL;
	taken->n = n;
	if (!atomic_compare_exchange_strong(&all_taken, &none, taken)) {
		free(taken);
		taken = none;
	}
	return taken;
}

static uint64_t number_in_environment(const char *name)
{
	const char *value = secure_getenv(name);
	uint64_t number = 0;

	if (value && pt_text_parse_number(value, strlen(value), &number) < 0)
		return 0;
	return number;
}

static int list_one_given(struct pt_stored_list *list, atomic_bool *taken,
			  int fd, const char *name)
{
	struct pt_stored *stored;
	int copy, r;

	/* a number that is open on something else by now was none to give */
	if (!pt_stored_is_ours(name) || !pt_stored_may_be(name, fd) ||
	    atomic_exchange(taken, true))
		return 0;
	sys_set_cloexec(fd, true);
	copy = sys_dup_above(fd, GIVEN_FIRST);
	if (copy < 0 && copy != -EMFILE) {
		atomic_store(taken, false);
		return copy == -EBADF ? 0 : copy;
	}
	r = pt_stored_add(list, name, copy, &stored);
	if (r < 0)
		atomic_store(taken, false);
	else
		stored->given = fd;
	return r;
}

int pt_given_list(struct pt_stored_list *list)
{
	const char *all_names = secure_getenv("LISTEN_FDNAMES");
	uint64_t n = number_in_environment("LISTEN_FDS");
	CLEANUP(freep) char *names = NULL;
	struct taken *taken;
	char *rest, *name;
	int r = 0;

	if (number_in_environment("LISTEN_PID") != (uint64_t)sys_getpid() ||
	    n == 0 || n > INT_MAX - GIVEN_FIRST || !all_names)
		return 0;
	names = rest = strdup(all_names);
	taken = taken_of(n);
	if (!names || !taken)
		return -ENOMEM;
	n = MIN(n, taken->n);
	for (uint64_t i = 0; r >= 0 && i < n; i++) {
		name = strsep(&rest, ":");
		if (!name)
			break;
		r = list_one_given(list, &taken->each[i], GIVEN_FIRST + (int)i,
				   name);
	}
	return r;
}

void pt_given_return(const struct pt_stored *stored)
{
	struct taken *taken = atomic_load(&all_taken);

	if (stored->given >= 0)
		atomic_store(&taken->each[stored->given - GIVEN_FIRST], false);
}
