/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * One process a command was told to look at, and what became of it so far.
 */
#ifndef TARGET_H
#define TARGET_H

#include <stdbool.h>
#include <time.h>

#include "ending.h"
#include "json.h"
#include "pidtrack.h"
#include "proc.h"
#include "process_name.h"

#define TARGET_NAME_SIZE 256  /* bytes, the final NUL included */
#define TARGET_LABEL_SIZE 256 /* likewise; a label has 255 */

struct target {
	struct pidtrack_process *process; /* NULL: there is none */
	struct process_name id;
	char name[TARGET_NAME_SIZE];   /* for people, on one line */
	char label[TARGET_LABEL_SIZE]; /* "": none */
	char fingerprint[PIDTRACK_FINGERPRINT_MAX]; /* "" where not to be had */
	uint32_t event; /* the last, 0 while there was none */
	time_t event_time;
	bool ended; /* nothing more will be told of it */
	struct ending ending;
};

/* Makes a tracker.  Return: 0, or EXIT_FAILED, having complained. */
int tracker_open(struct pidtrack **ret_tracker);

/* Complains of a call that failed for no fault of the user's.
 * Return: EXIT_FAILED. */
int tracker_failed(const char *doing, int error);

/* Fills in @target, which must stay where it is: events will find it. */
void target_of(struct pidtrack_process *process, struct target *ret_target);

/* Of a process that is not tracked: @path's, which says @record. */
void target_of_record(const struct pidtrack_record *record, const char *path,
		      struct target *ret_target);

/*
 * Tracks the @n processes that @words name, *@ret_attached of them with
 * success; these come first in @targets.  A word that is no PROCESS at all is
 * found before anything is tracked.
 *
 * @legacy: a record that has only a number is believed
 *
 * Return: 0, or the exit_code of the first failure, having complained of each.
 */
int targets_attach(struct pidtrack *tracker, char **words, size_t n,
		   bool legacy, struct target *targets, size_t *ret_attached);

/* Notes an event.  Return: the target it is of. */
struct target *target_note(const struct pidtrack_event *event);

/* A line, for people or one JSON object: it is tracked from now on. */
void target_print_attached(const struct target *target, bool json);
/* ...: the last event. */
void target_print_event(const struct target *target, bool json);

/* Members event, time, pid, inode, label, record. */
void target_json(const struct target *target, const char *event,
		 struct json *json);

#endif
