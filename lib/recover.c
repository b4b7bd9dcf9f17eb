/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Taking up what an earlier life of the host has kept: first all of it is
 * listed, which can fail, then one after the other is tracked, each for itself.
 */
#include "attach.h"
#include "given.h"
#include "record.h"
#include "recovery.h"
#include "sys.h"

/* ---- whom the tracker has already ---- */

struct known {
	uint64_t inode;
	struct pidtrack_process *process; /* or NULL: it is listed, */
	struct pidtrack_recovered *own;	  /* by this pin */
};

struct knowns {
	struct known *list; /* owned; @n of them by inode */
	size_t n;
	size_t n_more; /* behind these, in any order */
};

static void knowns_done(struct knowns *knowns)
{
	free(knowns->list);
}

static int by_inode(const void *a, const void *b)
{
	const struct known *left = a, *right = b;

	return (left->inode > right->inode) - (left->inode < right->inode);
}

static void sort(struct knowns *knowns)
{
	knowns->n += knowns->n_more;
	knowns->n_more = 0;
	qsort(knowns->list, knowns->n, sizeof(*knowns->list), by_inode);
}

/* @more: how many are to be listed */
static int know(struct pt_set *set, size_t more, struct knowns *ret_knowns)
{
	ret_knowns->list =
		calloc(set->slots.n + more + 1, sizeof(*ret_knowns->list));
	if (!ret_knowns->list)
		return -ENOMEM;
	for (uint32_t slot = 0; slot < set->slots.n; slot++) {
		struct pidtrack_process *process =
			pt_slots_at(&set->slots, slot);
		struct known *known = &ret_knowns->list[ret_knowns->n_more];
		int r;

		/* who was freed is nobody's, though watched maybe */
		if (!pt_process_is_there(process) ||
		    !pt_process_is_awaited(process))
			continue;
		r = pt_set_inode(set, process, &known->inode);
		if (is_short_of_room(r))
			return r; /* to be asked again: it would be two */
		if (r < 0)
			continue;
		known->process = process;
		ret_knowns->n_more++;
	}
	sort(ret_knowns);
	return 0;
}

/* ---- the list ---- */

struct recover {
	struct pidtrack_recovery *recovery; /* owned until it is complete */
	struct pidtrack_recovered **owns;   /* owned: @n of its own */
	struct pt_stored **from; /* owned: where each is from; NULL: a pin */
	size_t n;
	struct pt_stored_list stored;
	bool listed;
};

static void recover_done(struct recover *recover)
{
	/* of a list that could not be made, nobody is told */
	for (size_t i = 0; !recover->listed && i < recover->stored.n; i++)
		pt_given_return(&recover->stored.all[i]);
	pidtrack_recovery_free(recover->recovery);
	free(recover->owns);
	free(recover->from);
	pt_stored_list_done(&recover->stored);
}

/*
 * Whether it is tracked, or listed; NULL if it is not.  If it came without
 * being known as kept, as over exec, it is now.
 */
static const struct known *find_known(const struct knowns *knowns,
				      uint64_t inode, const char *label)
{
	const struct known wanted = { .inode = inode };
	struct known *known = bsearch(&wanted, knowns->list, knowns->n,
				      sizeof(*knowns->list), by_inode);

	if (known && known->process && label && known->process->label &&
	    strcmp(label, known->process->label) == 0)
		known->process->kept = true;
	return known;
}

/* What no label can be is none. */
static const char *label_of(const char *name, char bytes[PT_PIN_NAME_SIZE])
{
	if (pt_pin_label(name, bytes) < 0 || pt_label_check(bytes) < 0)
		return NULL;
	return bytes;
}

static int list_one(struct recover *recover, const struct pt_pins *pins,
		    struct knowns *knowns, const char *name)
{
	char bytes[PT_PIN_NAME_SIZE];
	struct pidtrack_recovered recovered = {
		.name = name,
		.label = label_of(name, bytes),
	};
	uint64_t inode = 0;
	bool found;
	int r;

	r = pt_pin_inode(pins->dir, name, &inode);
	if (is_short_of_room(r))
		return r;
	if (r == -ENOENT) {
		/* it was let go, but for the file */
		pt_pin_drop(pins->dir, pins->path, name, 0);
		return 0;
	}
	found = r >= 0;
	if (found && find_known(knowns, inode, recovered.label))
		return 0;
	r = pt_recovery_add(recover->recovery, &recovered,
			    &recover->owns[recover->n]);
	if (r < 0)
		return r;
	if (found)
		knowns->list[knowns->n + knowns->n_more++] = (struct known){
			.inode = inode,
			.own = recover->owns[recover->n],
		};
	recover->n++;
	return 0;
}

static int list_pins(struct recover *recover, const struct pt_pins *pins,
		     struct knowns *knowns, const struct pt_pins_list *list)
{
	int r = 0;

	for (size_t i = 0; i < list->n && r >= 0; i++)
		r = list_one(recover, pins, knowns, list->names[i]);
	/* one that has a pin and is stored too is one */
	sort(knowns);
	return r;
}

static bool has_label(const struct pt_stored *stored)
{
	return stored->label && pt_label_check(stored->label) >= 0;
}

/* What a store keeps comes with all that there is to know. */
static int list_one_stored(struct recover *recover, const struct knowns *knowns,
			   struct pt_stored *stored)
{
	const struct pidtrack_recovered recovered = {
		.name = stored->name,
		.label = has_label(stored) ? stored->label : NULL,
	};
	const struct known *known = NULL;
	int r;

	/* what it is named by will do where there is no room for it */
	if (stored->error == 0 || stored->error == -EMFILE)
		known = find_known(knowns, stored->inode, stored->label);
	if (known && known->own && stored->payload)
		return pt_recovery_pay(known->own, stored->payload,
				       stored->payload_size);
	if (known)
		return 0;
	r = pt_recovery_add(recover->recovery, &recovered,
			    &recover->owns[recover->n]);
	if (r < 0)
		return r;
	recover->from[recover->n++] = stored;
	return 0;
}

static int list_stored(struct recover *recover, const struct knowns *knowns)
{
	int r = 0;

	for (size_t i = 0; i < recover->stored.n && r >= 0; i++)
		r = list_one_stored(recover, knowns, &recover->stored.all[i]);
	return r;
}

static int reserve(struct recover *recover, size_t n)
{
	recover->owns = calloc(n + 1, sizeof(*recover->owns));
	recover->from = calloc(n + 1, sizeof(*recover->from));
	if (!recover->owns || !recover->from)
		return -ENOMEM;
	return pt_recovery_new(&recover->recovery);
}

static int list_all(struct recover *recover, struct pt_set *set)
{
	CLEANUP(pt_pins_list_done) struct pt_pins_list list = { 0 };
	CLEANUP(knowns_done) struct knowns knowns = { 0 };
	const struct pt_keeper *keeper = &set->keeper;
	int r = 0;

	if (keeper->pins)
		r = pt_pins_list(keeper->pins, &list);
	if (r >= 0)
		r = pt_set_keeper_ensure(set);
	if (r >= 0 && keeper->store)
		r = pt_store_list(keeper->store, &recover->stored);
	if (r >= 0)
		r = reserve(recover, list.n + recover->stored.n);
	if (r >= 0)
		r = know(set, list.n, &knowns);
	if (r >= 0)
		r = list_pins(recover, keeper->pins, &knowns, &list);
	return r < 0 ? r : list_stored(recover, &knowns);
}

/* ---- one of them ---- */

#define TRIES 8

/*
 * A launch that was cut short may yet go on: the child of a host killed before
 * it mounted anything fails if its file is gone, or is kept if it was faster.
 */
static int open_or_remove(const struct pt_pins *pins, const char *name)
{
	int fd = pt_pin_open(pins->dir, name), r;

	for (int i = 0; i < TRIES && fd == -ENODATA; i++) {
		r = pt_pin_drop(pins->dir, pins->path, name, 0);
		if (r >= 0)
			return -ENODATA;
		if (r != -EBUSY && r != -ESTALE)
			return r; /* it may execute yet */
		fd = pt_pin_open(pins->dir, name);
	}
	return fd == -ENODATA ? -EBUSY : fd;
}

static const char *reason_of(int error)
{
	switch (error) {
	case -ENODATA:
		return "nothing was mounted on its file: it has not executed";
	case -EBADF:
		return "something else has its name";
	case -ESTALE:
		return "another process has its name";
	case -EBADMSG:
		return "its name is of no label";
	default:
		return "it could not be taken up";
	}
}

static void tell_error(struct pidtrack_recovered *own, int error)
{
	const struct pidtrack_comparison comparison = {
		.verdict = PIDTRACK_VERDICT_UNPROVEN,
		.reason = reason_of(error),
	};

	pt_recovery_conclude(own, NULL, &comparison, error);
}

static void tell_process(struct pidtrack_recovered *own,
			 struct pidtrack_process *process)
{
	CLEANUP(pt_lent_done)
	struct pt_lent lent =
		pt_parked_lend(&process->tracker->set.parked, process);
	struct pollfd readable = { lent.fd, POLLIN, 0 };
	bool ended = sys_ppoll_now(&readable) > 0;
	const struct pidtrack_comparison comparison = {
		.verdict = ended ? PIDTRACK_VERDICT_EXITED :
				   PIDTRACK_VERDICT_SAME,
		.evidence = PIDTRACK_EVIDENCE_PIN,
		.reason = ended ? "its pidfd was kept, and it has ended" :
				  "its pidfd was kept",
	};
	const struct pt_payload *payload = process->payload;

	pt_recovery_conclude(own, process, &comparison, 0);
	/* for want of memory the process alone has it */
	if (payload)
		pt_recovery_pay(own, payload->bytes, payload->size);
}

/*
 * Takes over @fd; what it is if negative is why there is none.  A payload of
 * its own, as another keeps it, is the process's where that has none.
 */
static int take_up(struct pidtrack *tracker, int fd,
		   struct pidtrack_recovered *own, const void *payload,
		   size_t payload_size)
{
	struct pidtrack_process *process = NULL;
	int r = fd;

	if (fd >= 0)
		r = pt_attach_kept(tracker, fd, own->label, &process);
	if (r < 0) {
		tell_error(own, r);
		return r;
	}
	if (!process->payload && payload)
		(void)pt_payload_new(payload, payload_size, &process->payload);
	tell_process(own, process);
	return 0;
}

static void recover_stored(struct pidtrack *tracker, struct pt_stored *stored,
			   struct pidtrack_recovered *own)
{
	int fd = stored->error;

	if (fd >= 0)
		fd = own->label ? fd_take(&stored->pidfd) : -EBADMSG;
	if (take_up(tracker, fd, own, stored->payload, stored->payload_size) <
	    0)
		pt_given_return(stored);
}

static void recover_pin(struct pidtrack *tracker,
			struct pidtrack_recovered *own)
{
	int fd = -EBADMSG;

	if (own->label)
		fd = open_or_remove(tracker->set.keeper.pins, own->name);
	take_up(tracker, fd, own, own->payload, own->payload_size);
}

/* ---- all of them ---- */

static int do_recover(struct pidtrack *tracker, void *argument)
{
	CLEANUP(recover_done) struct recover recover = { 0 };
	struct pidtrack_recovery **ret_recovery = argument;
	int r;

	if (!pt_keeper_is_open(&tracker->set.keeper))
		return -EINVAL;
	r = list_all(&recover, &tracker->set);
	if (r < 0)
		return r;
	recover.listed = true;
	for (size_t i = 0; i < recover.n; i++) {
		if (recover.from[i])
			recover_stored(tracker, recover.from[i],
				       recover.owns[i]);
		else
			recover_pin(tracker, recover.owns[i]);
	}
	*ret_recovery = recover.recovery;
	recover.recovery = NULL;
	return 0;
}

PUBLIC int pidtrack_recover(struct pidtrack *tracker,
			    struct pidtrack_recovery **ret_recovery)
{
	return pt_tracker_call(tracker, do_recover, ret_recovery);
}
