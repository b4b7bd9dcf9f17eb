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
	const char *gone;		  /* why there is none any more */
	struct process_name id;
	char name[TARGET_NAME_SIZE];   /* for people, on one line */
	char label[TARGET_LABEL_SIZE]; /* "": none */
	char fingerprint[PIDTRACK_FINGERPRINT_MAX]; /* "" where not to be had */
	uint32_t verdict; /* of the record it was named by; 0: none */
	uint32_t event;	  /* the last, 0 while there was none */
	time_t event_time;
	uint64_t serial;  /* of watch: the how manieth of all; 0: not watched */
	int32_t signal;	  /* with the last event: of a ladder; 0: none */
	uint32_t reached; /* with that signal, and others, so far */
	bool exited;
	bool ended; /* nothing more will be told of it */
	struct ending ending;
	bool alone;  /* of stop: nobody is to end with it */
	bool over;   /* of stop: its ladder has come to an end */
	bool failed; /* of stop: to a bad one */
};

/* Makes a tracker.  Return: 0, or EXIT_FAILED, having complained. */
int tracker_open(struct pidtrack **ret_tracker);

/* Complains of a call that failed for no fault of the user's.
 * Return: EXIT_FAILED. */
int tracker_failed(const char *doing, int error);

/* Fills in @target, which must stay where it is. */
void target_of(struct pidtrack_process *process, struct target *ret_target);

/* Of a process that is not tracked: @path's, which says @record; NULL if it
 * could not be read.  @path is lent as long as @ret_target. */
void target_of_record(const struct pidtrack_record *record, const char *path,
		      struct target *ret_target);

/* Of one that is, by the same, of which @comparison was made. */
void target_of_attached(struct pidtrack_process *process,
			const struct pidtrack_record *record,
			const struct pidtrack_comparison *comparison,
			const char *path, struct target *ret_target);

#define TARGET_LEGACY (1U << 0) /* believes a record of only a number */
#define TARGET_GONE (1U << 1)	/* one that is gone is a target, too */
#define TARGET_ENDED (1U << 2)	/* likewise, if its end is recorded */

/*
 * Tracks the process that @word names.  @target must stay where it is: events
 * will find it.
 *
 * @flags: TARGET_
 *
 * Return: 0, or an exit_code, having complained.
 */
int target_attach(struct pidtrack *tracker, const char *word,
		  unsigned int flags, struct target *target);

/* Those that a command line names, and their tracker. */
struct targets {
	struct pidtrack *tracker; /* owned, as are the @n of */
	struct target *all;
	size_t n;
};

/*
 * Tracks those of the @n processes that @words name which can be.  A word that
 * is no PROCESS at all is found before anything is tracked.
 *
 * @targets: zeros; targets_done() is wanted in any case
 * @flags: TARGET_
 *
 * Return: 0, or the highest exit_code of all failures, having complained of
 *         each.
 */
int targets_attach(struct targets *targets, char **words, size_t n,
		   unsigned int flags);

void targets_done(struct targets *targets);

/* Notes an event.  Return: the target it is of. */
struct target *target_note(const struct pidtrack_event *event);

/* A line, for people or one JSON object: @event, with its signal. */
void target_print(const struct target *target, const char *event, bool json);
/* ...: the last event, which is of a ladder. */
void target_print_ladder(const struct target *target, bool with_others,
			 bool json);
/* ...: it is tracked from now on. */
void target_print_attached(const struct target *target, bool json);
/* ...: the last event. */
void target_print_event(const struct target *target, bool json);

/* ...: what @record, which may be NULL, and its process came to. */
void target_print_verdict(const struct target *target,
			  const struct pidtrack_record *record,
			  const struct pidtrack_comparison *comparison,
			  bool json);

/* Whether its last event is one with which a status is told. */
bool target_tells_status(const struct target *target);

/* Members event, time, pid, inode, label, record. */
void target_json(const struct target *target, const char *event,
		 struct json *json);
/* Members pid, inode, label, record. */
void target_json_names(const struct target *target, struct json *json);

#endif
