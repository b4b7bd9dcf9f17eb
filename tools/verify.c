/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * pidtrack verify: whether the process of a record is there; only looks.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "arguments.h"
#include "complain.h"
#include "output.h"
#include "owned.h"
#include "record.h"
#include "target.h"
#include "verdict.h"

struct verify {
	bool strict;
	bool json;
	struct pidtrack *tracker; /* for numbers */
};

static int set_strict(void *to, const char *value)
{
	((struct verify *)to)->strict = true;
	return 0;
}

static int set_json(void *to, const char *value)
{
	((struct verify *)to)->json = true;
	return 0;
}

static const struct command_option options[] = {
	{ "strict", NULL, "3 unless it is proven beyond doubt", set_strict },
	{ "json", NULL, "one JSON object a line", set_json },
	{ 0 },
};

/* ---- telling ---- */

/*
 * What would do by itself, of @record, or of a number somebody named.  For the
 * same process that is the inode: no two have one, while those that began
 * within 10 ms have one start time.  That one is gone can be known of its
 * number only if it is a number of this boot and pid namespace.
 */
static uint32_t proof(uint32_t verdict, const struct pidtrack_record *record)
{
	switch (verdict) {
	case PIDTRACK_VERDICT_SAME:
	case PIDTRACK_VERDICT_EXITED:
		return PIDTRACK_EVIDENCE_INODE | PIDTRACK_EVIDENCE_PIN;
	case PIDTRACK_VERDICT_GONE:
		return PIDTRACK_EVIDENCE_BOOT |
		       (record ? 0 : PIDTRACK_EVIDENCE_PID);
	default:
		return UINT32_MAX;
	}
}

static int exit_code_of(const struct verify *verify,
			const struct target *target,
			const struct pidtrack_record *record,
			const struct pidtrack_comparison *comparison)
{
	if (!verify->strict ||
	    comparison->verdict == PIDTRACK_VERDICT_UNPROVEN ||
	    comparison->evidence & proof(comparison->verdict, record))
		return verdict_exit_code(comparison->verdict);
	complain("%s is %s by what was compared, which for --strict is not "
		 "enough",
		 target->name, pidtrack_verdict_name(comparison->verdict));
	return EXIT_UNTOLD;
}

static int print_verdict(const struct verify *verify,
			 const struct target *target,
			 const struct pidtrack_record *record,
			 const struct pidtrack_comparison *comparison)
{
	target_print_verdict(target, record, comparison, verify->json);
	return exit_code_of(verify, target, record, comparison);
}

/* ---- verifying ---- */

static int verify_record(const struct verify *verify, const char *path)
{
	CLEANUP(pidtrack_record_freep) struct pidtrack_record *record = NULL;
	struct pidtrack_comparison comparison = { 0 };
	struct target target;
	int r;

	r = record_read(path, &record);
	if (r)
		return r;
	r = pidtrack_verify(NULL, record, &comparison, sizeof(comparison));
	if (r < 0)
		return tracker_failed("verifying", r);
	target_of_record(record, path, &target);
	target.ended = comparison.verdict != PIDTRACK_VERDICT_SAME &&
		       record_ending(path, record, &target.ending);
	return print_verdict(verify, &target, record, &comparison);
}

/*
 * Of what has the number: a number alone is somebody's; if the inode was right,
 * comparing it with itself tells whether it runs.
 */
static void compare_number(const struct target *target, bool has_inode,
			   struct pidtrack_comparison *ret_comparison)
{
	*ret_comparison = (struct pidtrack_comparison){
		.verdict = PIDTRACK_VERDICT_UNPROVEN,
		.evidence = PIDTRACK_EVIDENCE_PID,
		.reason = "only a number was given, which somebody has",
	};
	if (!has_inode)
		return;
	ret_comparison->evidence = 0;
	ret_comparison->reason = "the kernel refuses to tell";
	pidtrack_process_compare(target->process, target->fingerprint,
				 ret_comparison, sizeof(*ret_comparison));
}

/* Return: whether @error is a verdict on a process named by number. */
static bool conclude(int error, struct pidtrack_comparison *ret_comparison)
{
	static const struct {
		int error;
		struct pidtrack_comparison comparison;
	} verdicts[] = {
		{ -ESRCH,
		  { PIDTRACK_VERDICT_GONE, PIDTRACK_EVIDENCE_PID,
		    "no process has its number" } },
		{ -ESTALE,
		  { PIDTRACK_VERDICT_REUSED,
		    PIDTRACK_EVIDENCE_PID | PIDTRACK_EVIDENCE_INODE,
		    "the pidfs inode is another, if that was ever one" } },
		{ -EOPNOTSUPP,
		  { PIDTRACK_VERDICT_UNPROVEN, 0,
		    "this kernel gives processes no inode" } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		if (verdicts[i].error == error) {
			*ret_comparison = verdicts[i].comparison;
			return true;
		}
	}
	return false;
}

static int verify_number(const struct verify *verify,
			 const struct process_name *name)
{
	struct pidtrack_comparison comparison;
	struct pidtrack_process *process;
	struct target target = { .id = *name };
	int r;

	process_name_format(name, target.name);
	r = pidtrack_attach(verify->tracker, name->pid, name->inode,
			    PIDTRACK_ATTACH_OBSERVE, &process);
	if (r == 0) {
		target_of(process, &target);
		compare_number(&target, name->inode, &comparison);
	} else if (!conclude(r, &comparison)) {
		return process_name_not_attached(verify->tracker, name, r);
	}
	r = print_verdict(verify, &target, NULL, &comparison);
	pidtrack_process_free(target.process);
	return r;
}

/* Whether all words are names; a tracker for those that are no records. */
static int prepare(struct verify *verify, char **words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct process_name name;
		int r = process_name_parse(words[i], &name);

		if (r == 0 && !name.record && !verify->tracker)
			r = tracker_open(&verify->tracker);
		if (r)
			return r;
	}
	return 0;
}

/* Return: the highest exit code of the @n processes. */
static int verify_all(const struct verify *verify, char **words, size_t n)
{
	int highest = EXIT_AS_ASKED;

	for (size_t i = 0; i < n; i++) {
		struct process_name name;
		int r = process_name_parse(words[i], &name);

		if (r == 0)
			r = name.record ? verify_record(verify, name.record) :
					  verify_number(verify, &name);
		if (r > highest)
			highest = r;
	}
	return highest;
}

static int verify_run(int argc, char **argv)
{
	struct verify verify = { 0 };
	int r;

	r = arguments_parse(&command_verify, &verify, &argc, &argv);
	if (r != ARGUMENTS_FINE)
		return r;
	if (argc == 0)
		return complain_usage("which PROCESS? " PROCESS_NAME_KINDS);
	r = prepare(&verify, argv, (size_t)argc);
	if (r == 0) {
		output_begin();
		r = output_finish(verify_all(&verify, argv, (size_t)argc));
	}
	pidtrack_free(verify.tracker);
	return r;
}

const struct command command_verify = {
	.name = "verify",
	.operands = "PROCESS...",
	.purpose = "Tells whether the processes of records are still there",
	.more = "PROCESS is a record file, a pin, PID:INODE, or PID, which\n"
		"proves nothing.  Told are the verdict (same, exited, reused, gone,\n"
		"other-boot, unproven), the reason and the evidence, and of\n"
		"one that ended how, if that is recorded beside.  This only\n"
		"looks: nothing is signalled, written, waited for or\n"
		"kept.\n"
		"\n"
		"Exits with 0 if it is the same, and runs; 1 if it has\n"
		"ended, is gone, or was before the last boot, or another has\n"
		"its number; 3 if it is unproven, 4 if the record cannot be\n"
		"read or for another failure, 2 for a wrong command line; of\n"
		"several PROCESSes with the highest of these.  With\n"
		"--strict, 0 and 1 are told only of what nothing else could\n"
		"explain: the same by its inode, gone by boot id and number,\n"
		"another by inode, start time or boot id; the rest is 3.\n",
	.options = options,
	.run = verify_run,
};
