/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A directory of records: what is in it, each verified, and what becomes of
 * them.  Of each name that was told there is a sum of what was: so nothing is
 * told twice, and what is lost by the kernel is found again.
 */
#include "base.h"
#include "checked.h"
#include "directory.h"
#include "names.h"
#include "options.h"
#include "pins.h"
#include "reading.h"
#include "recorded.h"
#include "sys.h"
#include "tracker.h"
#include "verify.h"

/* What the next step is about. */
enum phase {
	BEGINNING, /* a pass over the directory */
	SCANNING,
	REVIEWING, /* those that the scan did not come to any more */
	FOLLOWING,
	ENDED,
};

struct pidtrack_registry {
	enum phase phase;
	struct pt_directory directory;
	struct pt_names names; /* those that were told, and not as removed */
	struct pt_place place;
	bool pins; /* it is a directory of them */
	bool follows;
	bool freed;   /* looked at where it is checked */
	bool scanned; /* what comes now is new */
	bool unsure;  /* of some it was for want of room that they were not read
		       */
	int end;      /* what the last call returns, and all after it */

	uint64_t pass;	     /* from 1 */
	size_t new_names;    /* in this pass */
	size_t reviewed;     /* places of the names */
	struct statx before; /* the directory, when the pass began */

	int poll; /* the descriptor: of inotify, and of */
	int more; /* an eventfd, readable while the kernel alone is not */
	bool is_more;

	struct pidtrack_record *record;
	struct pidtrack_comparison comparison;
	struct pidtrack_found found;
	char name[PT_DIRECTORY_NAME_MAX + 1];
};

/* What a step comes to: it told something, or it did not. */
#define TOLD 1
#define GO_ON 2

/* ---- one name ---- */

static bool ends_with(const char *name, size_t length, const char *end)
{
	size_t n = strlen(end);

	return length >= n && memcmp(name + length - n, end, n) == 0;
}

/*
 * Hidden ones are on their way to be another, or from it.  A pin has its label
 * for a name, and that may be any.
 */
static bool is_of_record(const struct pidtrack_registry *registry,
			 const char *name)
{
	size_t length = strlen(name);

	return name[0] != '.' && length <= PT_DIRECTORY_NAME_MAX &&
	       (registry->pins || (!ends_with(name, length, ".exit") &&
				   !ends_with(name, length, ".exit.previous")));
}

static int tell(struct pidtrack_registry *registry, uint32_t change,
		const char *name, int error)
{
	memcpy(registry->name, name, strlen(name) + 1);
	registry->found = (struct pidtrack_found){
		.change = change,
		.error = error,
		.name = registry->name,
		.record = registry->record,
	};
	return TOLD;
}

static int tell_removed(struct pidtrack_registry *registry,
			struct pt_name *known)
{
	int r = tell(registry, PIDTRACK_REMOVED, known->text, 0);

	pt_names_remove(&registry->names, known);
	return r;
}

/* There is none, or what is there is no file. */
static bool is_absence(int error)
{
	return error == -ENOENT || error == -EISDIR || error == -ENXIO ||
	       error == -ELOOP;
}

/* One number for what can be told of a name. */
static uint64_t sum_of(const struct pidtrack_record *record, int error)
{
	if (!record)
		return (uint64_t)(int64_t)error;
	return pt_text_hash(&record->file, sizeof(record->file));
}

static int remember(struct pidtrack_registry *registry, const char *name,
		    uint64_t sum)
{
	struct pt_name *known = pt_names_find(&registry->names, name);

	if (!known) {
		known = pt_names_add(&registry->names, name);
		if (!known) {
			registry->phase = BEGINNING; /* to come to it again */
			return -ENOMEM;
		}
		registry->new_names++;
	}
	known->told = sum;
	known->pass = registry->pass;
	return 0;
}

/*
 * A file that has come into a directory of pins is to be one: when that is
 * mounted on it there is another event.
 */
static bool is_pin_to_be(const struct pidtrack_registry *registry, int error)
{
	return registry->pins && registry->phase == FOLLOWING &&
	       error == -EBADMSG;
}

/* Looks at what has the name now, and tells what is different about that. */
static int look(struct pidtrack_registry *registry, const char *name)
{
	struct pt_name *known = pt_names_find(&registry->names, name);
	bool first = !known && !registry->scanned;
	uint64_t sum;
	int error, r;

	error = pt_recorded_read(&registry->place, registry->directory.fd, name,
				 &registry->record);
	if (is_absence(error))
		return known ? tell_removed(registry, known) : GO_ON;
	if (!known && is_pin_to_be(registry, error))
		return GO_ON;

	if (is_short_of_room(error) || error == -EAGAIN)
		registry->unsure = true;
	sum = sum_of(registry->record, error);
	if (known && known->told == sum) {
		registry->record = pt_recorded_free(registry->record);
		known->pass = registry->pass;
		return GO_ON;
	}
	r = remember(registry, name, sum);
	if (r < 0)
		return r;
	return tell(registry, first ? PIDTRACK_FOUND : PIDTRACK_CHANGED, name,
		    error);
}

/* ---- steps ---- */

/* Of one that is followed, what was told is told to be gone before. */
static int end(struct pidtrack_registry *registry, int error)
{
	registry->end = error;
	registry->phase = registry->follows ? REVIEWING : ENDED;
	registry->reviewed = 0;
	return GO_ON;
}

static int find_mark(int dir)
{
	uint64_t inode;
	uint32_t type;
	int r = sys_name(dir, PT_PINS_MARKER, &inode, &type);

	return r < 0 ? r : type == S_IFREG;
}

/* Its host has given it up; what is mounted there next is another. */
static bool is_given_up(const struct pidtrack_registry *registry)
{
	return registry->follows &&
	       find_mark(registry->directory.fd) == -ENOENT;
}

static int begin(struct pidtrack_registry *registry)
{
	int r;

	if (registry->pins && is_given_up(registry))
		return end(registry, -ESTALE);
	r = pt_directory_rewind(&registry->directory);
	if (r >= 0)
		r = sys_file(registry->directory.fd, &registry->before);
	if (r < 0)
		return r;
	registry->pass++;
	registry->new_names = 0;
	registry->phase = SCANNING;
	return GO_ON;
}

static bool same_time(struct statx_timestamp a, struct statx_timestamp b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

#define PASSES 8

/*
 * A file that is renamed into place may have its name where the scan is beyond
 * already, as on btrfs: if the directory has changed there is another pass.
 */
static bool needs_pass(const struct pidtrack_registry *registry)
{
	const struct statx *before = &registry->before;
	struct statx now;

	if (registry->pass == PASSES ||
	    (registry->pass > 1 && registry->new_names == 0) ||
	    sys_file(registry->directory.fd, &now) < 0)
		return false;
	return !same_time(now.stx_mtime, before->stx_mtime) ||
	       !same_time(now.stx_ctime, before->stx_ctime);
}

static int end_pass(struct pidtrack_registry *registry)
{
	if (!registry->follows && !needs_pass(registry))
		return end(registry, 0);
	registry->phase = registry->follows ? REVIEWING : BEGINNING;
	registry->scanned = registry->follows;
	registry->reviewed = 0;
	return GO_ON;
}

static int scan(struct pidtrack_registry *registry)
{
	const char *name;
	int r;

	r = pt_directory_scan(&registry->directory, &name);
	if (r == -ENOENT)
		return end(registry, r);
	if (r < 0)
		return r;
	if (r == 0)
		return end_pass(registry);
	if (!is_of_record(registry, name) ||
	    (!registry->follows && pt_names_find(&registry->names, name)))
		return GO_ON;
	return look(registry, name);
}

/* Of those that the last pass did not come to, or at the end of all. */
static int review(struct pidtrack_registry *registry)
{
	struct pt_names *names = &registry->names;

	for (; registry->reviewed < names->size; registry->reviewed++) {
		struct pt_name *name = &names->places[registry->reviewed];

		/* what is told to be removed leaves its place to another */
		if (name->text && registry->end < 0)
			return tell_removed(registry, name);
		if (name->text && name->pass != registry->pass)
			return look(registry, name->text);
	}
	registry->reviewed = 0;
	if (registry->end == 0)
		registry->phase = FOLLOWING;
	else if (names->count == 0)
		registry->phase = ENDED;
	return GO_ON;
}

static int follow(struct pidtrack_registry *registry)
{
	const char *name = NULL;
	int r;

	r = pt_directory_next(&registry->directory, &name);
	switch (r) {
	case PT_DIRECTORY_NAME:
		if (registry->pins && strcmp(name, PT_PINS_MARKER) == 0 &&
		    is_given_up(registry))
			return end(registry, -ESTALE);
		return is_of_record(registry, name) ? look(registry, name) :
						      GO_ON;
	case PT_DIRECTORY_LOST:
		registry->phase = BEGINNING;
		return GO_ON;
	case PT_DIRECTORY_BESIDE:
		return pt_directory_is_removed(&registry->directory) ?
			       end(registry, -ENOENT) :
			       GO_ON;
	case PT_DIRECTORY_ENDED:
		return end(registry, -ESTALE);
	default:
		return r; /* none, or an error */
	}
}

static int step(struct pidtrack_registry *registry)
{
	switch (registry->phase) {
	case BEGINNING:
		return begin(registry);
	case SCANNING:
		return scan(registry);
	case REVIEWING:
		return review(registry);
	case FOLLOWING:
		return follow(registry);
	case ENDED:
	default:
		return registry->end;
	}
}

/* ---- its descriptor ---- */

/* Of two that are polled as one. */
static int make_pollable(struct pidtrack_registry *registry)
{
	int r;

	registry->poll = sys_epoll_new();
	if (registry->poll < 0)
		return registry->poll;
	r = sys_set_nonblock(registry->poll);
	if (r < 0)
		return r;
	registry->more = sys_eventfd();
	if (registry->more < 0)
		return registry->more;
	r = sys_epoll_ctl(registry->poll, EPOLL_CTL_ADD, registry->more,
			  EPOLLIN, 0);
	if (r < 0)
		return r;
	return sys_epoll_ctl(registry->poll, EPOLL_CTL_ADD,
			     registry->directory.inotify, EPOLLIN, 0);
}

/* What the kernel does not know to be at hand. */
static void show_more(struct pidtrack_registry *registry)
{
	bool is_more = registry->phase != FOLLOWING ||
		       pt_directory_has_events(&registry->directory);
	uint64_t one = 1;
	int r;

	if (!registry->follows || is_more == registry->is_more)
		return;
	if (is_more)
		r = sys_write(registry->more, &one, sizeof(one));
	else
		r = sys_read(registry->more, &one, sizeof(one));
	/* else the next call does it */
	if (r >= 0 || r == -EAGAIN)
		registry->is_more = is_more;
}

/* ---- public calls ---- */

PUBLIC struct pidtrack_registry *
pidtrack_registry_free(struct pidtrack_registry *registry)
{
	if (!registry)
		return NULL;
	pt_checked(!registry->freed);
	registry->freed = true;
	pt_recorded_free(registry->record);
	pt_names_done(&registry->names);
	pt_directory_done(&registry->directory);
	fd_close(registry->more);
	fd_close(registry->poll);
	pt_checked_free(registry);
	return NULL;
}

static void registry_freep(struct pidtrack_registry **registry)
{
	pidtrack_registry_free(*registry);
}

PUBLIC int pidtrack_registry_open(const char *path, uint32_t flags,
				  struct pidtrack_registry **ret_registry)
{
	CLEANUP(registry_freep) struct pidtrack_registry *registry = NULL;
	int r;

	if (flags & ~PIDTRACK_REGISTRY_FOLLOW)
		return -EINVAL;
	registry = calloc(1, sizeof(*registry));
	if (!registry)
		return -ENOMEM;
	registry->directory = (struct pt_directory)PT_DIRECTORY_NULL;
	registry->poll = registry->more = -1;
	registry->follows = flags & PIDTRACK_REGISTRY_FOLLOW;

	/* with half of it nobody would be proven for as long as it is open */
	r = pt_place_look(&registry->place);
	if (r >= 0)
		r = pt_directory_open(&registry->directory, path,
				      registry->follows);
	if (r >= 0 && registry->follows)
		r = make_pollable(registry);
	if (r < 0)
		return r;
	registry->pins = find_mark(registry->directory.fd) > 0;
	show_more(registry);
	*ret_registry = registry;
	registry = NULL;
	return 0;
}

PUBLIC int pidtrack_registry_fd(const struct pidtrack_registry *registry)
{
	return registry->follows ? registry->poll : -EINVAL;
}

static void verify(struct pidtrack_registry *registry,
		   const struct pt_place *place)
{
	struct pt_verified verified;

	if (!registry->record)
		return;
	pt_verify(place, registry->record, &verified);
	if (verified.pidfd >= 0)
		sys_close(verified.pidfd);
	registry->comparison = verified.comparison;
	registry->found.comparison = &registry->comparison;
}

PUBLIC int pidtrack_registry_next(struct pidtrack_registry *registry,
				  struct pidtrack *tracker,
				  const struct pidtrack_found **ret_found)
{
	uint64_t before = pt_sys_calls;
	int r = GO_ON;

	if (tracker && pt_owner_forked(&tracker->owner))
		return -ECHILD;
	registry->record = pt_recorded_free(registry->record);
	/* no event tells when there is room again */
	if (registry->unsure && registry->phase == FOLLOWING) {
		registry->unsure = false;
		registry->phase = BEGINNING;
	}
	while (r == GO_ON)
		r = step(registry);
	if (r == TOLD) {
		verify(registry,
		       tracker ? &tracker->set.place : &registry->place);
		*ret_found = &registry->found;
	}
	show_more(registry);
	if (tracker)
		tracker->syscalls += pt_sys_calls - before;
	return r;
}

static const char *const change_names[] = {
	[PIDTRACK_FOUND] = "found",
	[PIDTRACK_CHANGED] = "changed",
	[PIDTRACK_REMOVED] = "removed",
};

PUBLIC const char *pidtrack_change_name(uint32_t change)
{
	return pt_name(change_names, ARRAY_SIZE(change_names), change);
}
