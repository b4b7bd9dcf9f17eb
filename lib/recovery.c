/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "recovery.h"

#include <errno.h>
#include <string.h>

#include "checked.h"

/* One of them, and what is lent with it. */
struct recovered {
	struct pidtrack_recovered told; /* its pointers owned; first */
	struct pidtrack_comparison comparison;
	struct recovered *next;
};

struct pidtrack_recovery {
	struct recovered *first;
	struct recovered *last;
	struct recovered *at; /* told before; NULL: none yet */
	bool freed;	      /* looked at where it is checked */
};

int pt_recovery_new(struct pidtrack_recovery **ret_recovery)
{
	*ret_recovery = calloc(1, sizeof(**ret_recovery));
	return *ret_recovery ? 0 : -ENOMEM;
}

static void free_one(struct recovered *one)
{
	free((char *)one->told.name);
	free((char *)one->told.label);
	free((char *)one->told.fingerprint);
	free((void *)one->told.payload);
	free(one);
}

/* Whether there is a copy where there is to be one. */
static bool copy_text(const char *text, const char **ret_copy)
{
	*ret_copy = text ? strdup(text) : NULL;
	return !text == !*ret_copy;
}

static bool copy_bytes(const void *bytes, size_t size, const void **ret_copy)
{
	void *copy = size > 0 ? malloc(size) : NULL;

	if (copy)
		memcpy(copy, bytes, size);
	*ret_copy = copy;
	return copy || size == 0;
}

static bool copy_all(const struct pidtrack_recovered *from,
		     struct pidtrack_recovered *told)
{
	told->payload_size = from->payload_size;
	return copy_text(from->name, &told->name) &&
	       copy_text(from->label, &told->label) &&
	       copy_text(from->fingerprint, &told->fingerprint) &&
	       copy_bytes(from->payload, from->payload_size, &told->payload);
}

int pt_recovery_add(struct pidtrack_recovery *recovery,
		    const struct pidtrack_recovered *recovered,
		    struct pidtrack_recovered **ret_own)
{
	struct recovered *one = calloc(1, sizeof(*one));

	if (!one)
		return -ENOMEM;
	if (!copy_all(recovered, &one->told)) {
		free_one(one);
		return -ENOMEM;
	}
	pt_recovery_conclude(&one->told, recovered->process,
			     recovered->comparison, recovered->error);
	if (recovery->last)
		recovery->last->next = one;
	else
		recovery->first = one;
	recovery->last = one;
	*ret_own = &one->told;
	return 0;
}

int pt_recovery_pay(struct pidtrack_recovered *own, const void *payload,
		    size_t size)
{
	const void *copy;

	if (!copy_bytes(payload, size, &copy))
		return -ENOMEM;
	free((void *)own->payload);
	own->payload = copy;
	own->payload_size = size;
	return 0;
}

void pt_recovery_conclude(struct pidtrack_recovered *own,
			  struct pidtrack_process *process,
			  const struct pidtrack_comparison *comparison,
			  int error)
{
	struct recovered *one = (struct recovered *)own;

	if (comparison)
		one->comparison = *comparison;
	own->process = process;
	own->comparison = &one->comparison;
	own->error = error;
}

PUBLIC int
pidtrack_recovery_next(struct pidtrack_recovery *recovery,
		       const struct pidtrack_recovered **ret_recovered)
{
	struct recovered *next = recovery->at ? recovery->at->next :
						recovery->first;

	if (!next)
		return 0;
	recovery->at = next;
	*ret_recovered = &next->told;
	return 1;
}

PUBLIC struct pidtrack_recovery *
pidtrack_recovery_free(struct pidtrack_recovery *recovery)
{
	struct recovered *next;

	if (!recovery)
		return NULL;
	pt_checked(!recovery->freed);
	recovery->freed = true;
	for (struct recovered *one = recovery->first; one; one = next) {
		next = one->next;
		free_one(one);
	}
	pt_checked_free(recovery);
	return NULL;
}
