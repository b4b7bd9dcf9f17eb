/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "complain.h"
#include "format.h"
#include "owned.h"
#include "record.h"
#include "signal_name.h"
#include "verdict.h"

#define PATH_WORDS_SIZE (TARGET_NAME_SIZE - PROCESS_NAME_SIZE - 3)

static const char *advice_on(const char *backend, int error)
{
	if (error == -EMFILE)
		return "; raise 'ulimit -n'";
	return backend && error == -EINVAL ? "; give uring or epoll" : "";
}

int tracker_open(struct pidtrack **ret_tracker)
{
	const char *backend = getenv("PIDTRACK_BACKEND");
	int r;

	r = pidtrack_new(NULL, ret_tracker);
	if (r >= 0)
		return 0;
	complain("cannot make a tracker%s%s: %s%s",
		 backend ? " with PIDTRACK_BACKEND=" : "",
		 backend ? backend : "", strerror(-r), advice_on(backend, r));
	return EXIT_FAILED;
}

int tracker_failed(const char *doing, int error)
{
	complain("%s: %s", doing, strerror(-error));
	return EXIT_FAILED;
}

static void note_label(struct target *target, const char *label)
{
	if (label)
		format_text(target->label, sizeof(target->label), "%s", label);
}

void target_of(struct pidtrack_process *process, struct target *ret_target)
{
	struct target *target = ret_target;

	memset(target, 0, sizeof(*target));
	target->process = process;
	target->ending.status = -1;
	if (pidtrack_process_fingerprint(process, target->fingerprint,
					 sizeof(target->fingerprint)) < 0)
		target->fingerprint[0] = 0;
	process_name_of(pidtrack_process_pid(process), target->fingerprint,
			&target->id);
	process_name_format(&target->id, target->name);
	note_label(target, pidtrack_process_label(process));
	pidtrack_process_set_userdata(process, target);
}

/* A file's name on one line, and if it is long the end of it. */
static void path_words(const char *path, char ret_words[PATH_WORDS_SIZE])
{
	size_t n = strlen(path), most = PATH_WORDS_SIZE - sizeof("...");

	format_text(ret_words, PATH_WORDS_SIZE, "%s%s", n > most ? "..." : "",
		    n > most ? path + n - most : path);
	for (char *c = ret_words; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
}

/* That of a pin's is proven; who reads one of a record has --json for it. */
static void note_id(struct target *target, const struct pidtrack_record *record)
{
	const char *path = target->id.record;

	if (pidtrack_record_format(record) == PIDTRACK_RECORD_PIN)
		process_name_of(pidtrack_record_pid(record),
				pidtrack_record_fingerprint(record),
				&target->id);
	target->id.pid = pidtrack_record_pid(record);
	target->id.record = path;
}

void target_of_record(const struct pidtrack_record *record, const char *path,
		      struct target *ret_target)
{
	char words[PATH_WORDS_SIZE];

	memset(ret_target, 0, sizeof(*ret_target));
	ret_target->id.record = path;
	path_words(path, words);
	format_text(ret_target->name, sizeof(ret_target->name), "%s", words);
	if (!record)
		return;
	note_id(ret_target, record);
	note_label(ret_target, pidtrack_record_label(record));
}

static void note_record(struct target *target, const char *path)
{
	char id[PROCESS_NAME_SIZE], words[PATH_WORDS_SIZE];

	process_name_format(&target->id, id);
	path_words(path, words);
	if (target->id.pid)
		format_text(target->name, sizeof(target->name), "%s (%s)", id,
			    words);
	else
		format_text(target->name, sizeof(target->name), "%s", words);
	target->id.record = path;
}

/* Whether one that is not there, as @error says, is a target all the same. */
static bool is_target_still(const struct pidtrack_record *record,
			    const char *path, int error, unsigned int flags,
			    struct target *ret_target)
{
	target_of_record(record, path, ret_target);
	if (flags & (TARGET_GONE | TARGET_ENDED) &&
	    record_ending(path, record, &ret_target->ending)) {
		ret_target->event = PIDTRACK_EXITED;
		ret_target->exited = true;
		ret_target->ended = true;
		return true;
	}
	return error == -ESRCH && flags & TARGET_GONE;
}

void target_of_attached(struct pidtrack_process *process,
			const struct pidtrack_record *record,
			const struct pidtrack_comparison *comparison,
			const char *path, struct target *ret_target)
{
	target_of(process, ret_target);
	ret_target->verdict = comparison->verdict;
	note_label(ret_target, pidtrack_record_label(record));
	note_record(ret_target, path);
}

static int attach_recorded(struct pidtrack *tracker, const char *path,
			   unsigned int flags, struct target *target)
{
	CLEANUP(pidtrack_record_freep) struct pidtrack_record *record = NULL;
	uint32_t attach = flags & TARGET_LEGACY ? PIDTRACK_ATTACH_LEGACY : 0;
	struct pidtrack_comparison comparison = { 0 };
	struct pidtrack_process *process;
	int r;

	r = record_read(path, &record);
	if (r)
		return r;
	/* it tells an end, and that is what was asked for */
	if (pidtrack_record_format(record) == PIDTRACK_RECORD_EXIT &&
	    is_target_still(record, path, 0, flags, target)) {
		target->gone = "its end is recorded";
		return 0;
	}
	r = pidtrack_attach_record(tracker, record, attach, &process,
				   &comparison, sizeof(comparison));
	if ((r == -ESRCH || r == -ESTALE) &&
	    is_target_still(record, path, r, flags, target)) {
		target->gone = comparison.reason;
		return 0;
	}
	if (r < 0)
		return record_not_attached(path, &comparison, attach, r);
	target_of_attached(process, record, &comparison, path, target);
	return 0;
}

static void target_of_none(const struct process_name *name,
			   struct target *ret_target)
{
	memset(ret_target, 0, sizeof(*ret_target));
	ret_target->id = *name;
	ret_target->gone = "no process has its number";
	process_name_format(name, ret_target->name);
}

int target_attach(struct pidtrack *tracker, const char *word,
		  unsigned int flags, struct target *target)
{
	struct pidtrack_process *process;
	struct process_name name;
	int r;

	r = process_name_parse(word, &name);
	if (r)
		return r;
	if (name.record)
		return attach_recorded(tracker, name.record, flags, target);
	r = pidtrack_attach(tracker, name.pid, name.inode, 0, &process);
	if (r == -ESRCH && flags & TARGET_GONE &&
	    proc_thread_owner(name.pid) == 0) {
		target_of_none(&name, target);
		return 0;
	}
	if (r < 0)
		return process_name_not_attached(tracker, &name, r);
	target_of(process, target);
	return 0;
}

static int check_words(char **words, size_t n)
{
	struct process_name name;
	int r = 0;

	if (n == 0)
		return complain_usage("which PROCESS? " PROCESS_NAME_KINDS);
	for (size_t i = 0; i < n && r == 0; i++)
		r = process_name_parse(words[i], &name);
	return r;
}

int targets_attach(struct targets *targets, char **words, size_t n,
		   unsigned int flags)
{
	int highest, r;

	highest = check_words(words, n);
	if (highest)
		return highest;
	targets->all = calloc(n, sizeof(targets->all[0]));
	if (!targets->all)
		return tracker_failed("beginning", -ENOMEM);
	highest = tracker_open(&targets->tracker);
	if (highest)
		return highest;

	for (size_t i = 0; i < n; i++) {
		r = target_attach(targets->tracker, words[i], flags,
				  &targets->all[targets->n]);
		if (r == 0)
			targets->n++;
		else if (r > highest)
			highest = r;
	}
	return highest;
}

void targets_done(struct targets *targets)
{
	pidtrack_free(targets->tracker);
	free(targets->all);
}

struct target *target_note(const struct pidtrack_event *event)
{
	struct target *target = pidtrack_process_userdata(event->process);
	bool end = event->kind == PIDTRACK_EXITED ||
		   event->kind == PIDTRACK_REAPED;

	target->event = event->kind;
	target->event_time = time(NULL);
	target->signal = event->signal;
	target->reached = event->reached;
	target->exited = target->exited || end;
	target->ended = event->flags & PIDTRACK_EVENT_LAST;
	if (end)
		target->ending =
			(struct ending){ event->status, event->source };
	return target;
}

/* Running or a zombie already: the fingerprint just taken is compared again. */
static const char *state_now(const struct target *target)
{
	struct pidtrack_comparison now;

	if (pidtrack_process_compare(target->process, target->fingerprint, &now,
				     sizeof(now)) < 0)
		return "unknown";
	if (now.verdict == PIDTRACK_VERDICT_SAME)
		return pidtrack_state_name(PIDTRACK_STATE_RUNNING);
	return pidtrack_verdict_name(now.verdict);
}

void target_json_names(const struct target *target, struct json *json)
{
	if (target->id.pid)
		json_number(json, "pid", (uint64_t)target->id.pid);
	else
		json_null(json, "pid");
	if (target->id.inode)
		json_number(json, "inode", target->id.inode);
	else
		json_null(json, "inode");
	json_string(json, "label", *target->label ? target->label : NULL);
	json_string(json, "record", target->id.record);
}

void target_json(const struct target *target, const char *event,
		 struct json *json)
{
	json_string(json, "event", event);
	json_time(json, "time");
	target_json_names(target, json);
}

static void end_json(const struct target *target, struct json *json)
{
	json_string(json, "fingerprint",
		    *target->fingerprint ? target->fingerprint : NULL);
	json_end(json);
}

void target_print_attached(const struct target *target, bool json)
{
	const char *state = state_now(target);
	struct json object;

	if (!json) {
		printf("%s attached %s %s\n", target->name, state,
		       *target->fingerprint ? target->fingerprint : "-");
		return;
	}
	json_begin(&object);
	target_json(target, "attached", &object);
	json_string(&object, "state", state);
	end_json(target, &object);
}

bool target_tells_status(const struct target *target)
{
	if (target->event != PIDTRACK_EXITED &&
	    target->event != PIDTRACK_REAPED)
		return false;
	return target->ended ||
	       target->ending.source != PIDTRACK_SOURCE_UNKNOWN;
}

static void print_line(const struct target *target, const char *event)
{
	char words[ENDING_SIZE], name[SIGNAL_NAME_SIZE];

	printf("%s %s", target->name, event);
	if (target->signal) {
		signal_name(target->signal, name);
		printf(" %s", name);
	}
	if (target_tells_status(target)) {
		ending_words(&target->ending, words);
		printf(" %s", words);
		if (target->ending.source != PIDTRACK_SOURCE_UNKNOWN)
			printf(" (%s)",
			       pidtrack_source_name(target->ending.source));
	}
}

static void begin_json(const struct target *target, const char *event,
		       struct json *json)
{
	char name[SIGNAL_NAME_SIZE];

	json_begin(json);
	target_json(target, event, json);
	if (target->signal) {
		signal_name(target->signal, name);
		json_number(json, "signal", (uint64_t)target->signal);
		json_string(json, "signal_name", name);
	}
}

void target_print(const struct target *target, const char *event, bool json)
{
	struct json object;

	if (!json) {
		print_line(target, event);
		putchar('\n');
		return;
	}
	begin_json(target, event, &object);
	if (target_tells_status(target))
		ending_json(&target->ending, &object);
	end_json(target, &object);
}

void target_print_ladder(const struct target *target, bool with_others,
			 bool json)
{
	const char *event = pidtrack_event_name(target->event);
	struct json object;

	if (json) {
		begin_json(target, event, &object);
		json_number(&object, "reached", target->reached);
		end_json(target, &object);
		return;
	}
	print_line(target, event);
	if (with_others)
		printf(", %u reached", target->reached);
	putchar('\n');
}

void target_print_event(const struct target *target, bool json)
{
	target_print(target, pidtrack_event_name(target->event), json);
}

void target_print_verdict(const struct target *target,
			  const struct pidtrack_record *record,
			  const struct pidtrack_comparison *comparison,
			  bool json)
{
	struct json object;

	if (!json) {
		printf("%s ", target->name);
		verdict_print(comparison);
		ending_print(target->ended ? &target->ending : NULL);
		putchar('\n');
		return;
	}
	json_begin(&object);
	target_json(target, "verified", &object);
	verdict_json(comparison, &object);
	record_json(record, &object);
	if (target->ended)
		ending_json(&target->ending, &object);
	json_end(&object);
}
