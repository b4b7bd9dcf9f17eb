/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "follow.h"

#include <errno.h>
#include <string.h>

#include "command.h"
#include "complain.h"
#include "owned.h"
#include "record.h"

/* A record that was told of. */
struct member {
	struct member *next;
	struct target target; /* without a process if that is not there */
	char *path;	      /* owned, in @target too */
	const char *name;     /* the end of it */
	bool removed;	      /* or another has taken its place */
};

/* ---- members ---- */

static struct member *new_member(struct follow *follow, const char *name,
				 struct audience *audience)
{
	struct member *member;

	member = calloc(1, sizeof(*member));
	if (!member)
		return NULL;
	member->path = record_path(follow->path, name);
	if (!member->path) {
		free(member);
		return NULL;
	}
	member->name = member->path + strlen(member->path) - strlen(name);
	member->next = follow->members;
	follow->members = member;
	audience->lost++;
	return member;
}

static void free_member(struct member *member, struct audience *audience)
{
	if (member->target.process)
		audience_forget(audience, &member->target);
	else
		audience->lost--;
	pidtrack_process_free(member->target.process);
	free(member->path);
	free(member);
}

static struct member *find_member(const struct follow *follow, const char *name)
{
	struct member *member = follow->members;

	while (member && (member->removed || strcmp(member->name, name) != 0))
		member = member->next;
	return member;
}

void follow_sweep(struct follow *follow, struct audience *audience)
{
	struct member **link = &follow->members;

	while (*link) {
		struct member *member = *link;

		if (!member->removed ||
		    (member->target.process && !member->target.ended)) {
			link = &member->next;
			continue;
		}
		*link = member->next;
		free_member(member, audience);
	}
}

/* ---- what happens in it ---- */

/* Return: 0, or EXIT_FAILED, having complained. */
static int attach(const struct pidtrack_found *found, struct member *member,
		  struct audience *audience)
{
	uint32_t flags =
		audience->attach & TARGET_LEGACY ? PIDTRACK_ATTACH_LEGACY : 0;
	struct pidtrack_comparison comparison = { 0 };
	struct pidtrack_process *process;
	struct absence absence;
	int r;

	r = pidtrack_attach_record(audience->tracker, found->record, flags,
				   &process, &comparison, sizeof(comparison));
	if (r == 0) {
		audience->lost--;
		target_of_attached(process, found->record, &comparison,
				   member->path, &member->target);
		return audience_attached(audience, &member->target);
	}
	absence = (struct absence){ found->record, &comparison, flags, r };
	audience_absent(audience, &member->target, &absence);
	return 0;
}

/* Whether a record that was written anew is of the process that is known. */
static bool is_known(const struct member *member,
		     const struct pidtrack_record *record)
{
	const char *fingerprint = pidtrack_record_fingerprint(record);
	struct pidtrack_comparison comparison = { 0 };

	if (!member->target.process || !fingerprint)
		return false;
	pidtrack_process_compare(member->target.process, fingerprint,
				 &comparison, sizeof(comparison));
	return comparison.verdict == PIDTRACK_VERDICT_SAME ||
	       comparison.verdict == PIDTRACK_VERDICT_EXITED;
}

static bool is_wanted(const struct audience *audience,
		      const struct pidtrack_found *found)
{
	const char *label = NULL;

	if (found->record)
		label = pidtrack_record_label(found->record);
	return globs_match(&audience->wanted, label, found->name);
}

static int take_record(struct follow *follow,
		       const struct pidtrack_found *found,
		       struct audience *audience)
{
	struct absence absence = { .error = found->error };
	struct member *member = NULL;

	/* a scan comes to each once */
	if (found->change != PIDTRACK_FOUND)
		member = find_member(follow, found->name);
	if (member && found->record && is_known(member, found->record))
		return 0;
	if (member)
		member->removed = true;
	if (!is_wanted(audience, found))
		return 0;
	member = new_member(follow, found->name, audience);
	if (!member)
		return tracker_failed("watching", -ENOMEM);
	target_of_record(found->record, member->path, &member->target);
	if (found->record)
		return attach(found, member, audience);
	audience_absent(audience, &member->target, &absence);
	return 0;
}

static void take_removal(struct follow *follow, const char *name,
			 struct audience *audience)
{
	struct member *member = find_member(follow, name);

	if (!member)
		return;
	member->removed = true;
	audience_removed(audience, &member->target);
}

static int gone(struct follow *follow, int error)
{
	follow->registry = pidtrack_registry_free(follow->registry);
	if (error == -ENOENT || error == -ESTALE) {
		complain("'%s' was %s", follow->path,
			 error == -ENOENT ? "removed" : "moved or unmounted");
		return EXIT_NO;
	}
	complain("cannot follow '%s': %s", follow->path, strerror(-error));
	return EXIT_FAILED;
}

int follow_take(struct follow *follow, struct audience *audience)
{
	const struct pidtrack_found *found;
	int r;

	while ((r = pidtrack_registry_next(follow->registry, audience->tracker,
					   &found)) > 0) {
		if (found->change == PIDTRACK_REMOVED)
			take_removal(follow, found->name, audience);
		else
			r = take_record(follow, found, audience);
		if (r == EXIT_FAILED)
			return r;
	}
	return r < 0 ? gone(follow, r) : 0;
}

int follow_open(const char *path, struct follow *ret_follow)
{
	ret_follow->path = path;
	return directory_open(path, PIDTRACK_REGISTRY_FOLLOW,
			      &ret_follow->registry);
}

void follow_done(struct follow *follow, struct audience *audience)
{
	while (follow->members) {
		struct member *member = follow->members;

		follow->members = member->next;
		free_member(member, audience);
	}
	follow->registry = pidtrack_registry_free(follow->registry);
}
