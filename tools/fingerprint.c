/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * pidtrack fingerprint: what a process is known by, and whether it is the one
 * that was known by a text.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "complain.h"
#include "output.h"
#include "owned.h"
#include "target.h"
#include "verdict.h"

struct fingerprint {
	const char *compare; /* NULL: take one */
	unsigned int attach; /* TARGET_ */
	bool json;
};

static int set_compare(void *to, const char *value)
{
	((struct fingerprint *)to)->compare = value;
	return 0;
}

static int set_legacy(void *to, const char *value)
{
	((struct fingerprint *)to)->attach |= TARGET_LEGACY;
	return 0;
}

static int set_json(void *to, const char *value)
{
	((struct fingerprint *)to)->json = true;
	return 0;
}

static const struct command_option options[] = {
	{ "compare", "TEXT", "whether PROCESS is the one TEXT was taken of",
	  set_compare },
	{ "legacy", NULL, "believe a record that has only a number",
	  set_legacy },
	{ "json", NULL, "as one JSON object", set_json },
	{ 0 },
};

static int print_fingerprint(const struct target *target, bool json)
{
	struct json object;

	if (!*target->fingerprint) {
		complain("%s has ended, or /proc is hidden: nothing tells it "
			 "from another",
			 target->name);
		return EXIT_UNTOLD;
	}
	if (!json) {
		printf("%s\n", target->fingerprint);
		return EXIT_AS_ASKED;
	}
	json_begin(&object);
	target_json(target, "fingerprint", &object);
	json_string(&object, "fingerprint", target->fingerprint);
	json_end(&object);
	return EXIT_AS_ASKED;
}

static int print_verdict(const struct target *target,
			 const struct pidtrack_comparison *comparison,
			 bool json)
{
	struct json object;

	if (json) {
		json_begin(&object);
		target_json(target, "compared", &object);
		verdict_json(comparison, &object);
		json_end(&object);
	} else {
		printf("%s ", target->name);
		verdict_print(comparison);
		putchar('\n');
	}
	return verdict_exit_code(comparison->verdict);
}

static int complain_of_text(const char *text)
{
	if (access(text, F_OK) == 0)
		return complain_usage("'%s' is a file, and --compare takes the "
				      "text itself; 'pidtrack verify' tells of "
				      "the process in a file",
				      text);
	if (strstr(text, "\nfingerprint="))
		return complain_usage("a whole record is no fingerprint: give "
				      "only what follows fingerprint= in it");
	return complain_usage("'%s' is no fingerprint: give the whole line "
			      "that 'pidtrack fingerprint' printed",
			      text);
}

/* Return: 0, or an exit_code, having complained. */
static int compare(struct pidtrack_process *process, const char *text,
		   struct pidtrack_comparison *ret_comparison)
{
	int r;

	r = pidtrack_process_compare(process, text, ret_comparison,
				     sizeof(*ret_comparison));
	if (r == -EBADMSG)
		return complain_of_text(text);
	if (r == -EPROTONOSUPPORT) {
		complain("'%s' was made by a later pidtrack; compare with that",
			 text);
		return EXIT_UNTOLD;
	}
	return r < 0 ? tracker_failed("comparing", r) : 0;
}

/*
 * From a comparison with ourselves, what it is with nobody: what was compared
 * of boot and pid namespace holds for the one as for the other.
 */
static void conclude_of_none(struct pidtrack_comparison *comparison,
			     bool same_pid)
{
	if (comparison->verdict == PIDTRACK_VERDICT_OTHER_BOOT)
		return;
	comparison->evidence &= PIDTRACK_EVIDENCE_BOOT | PIDTRACK_EVIDENCE_PID;
	if (!(comparison->evidence & PIDTRACK_EVIDENCE_BOOT))
		return;

	comparison->verdict = PIDTRACK_VERDICT_UNPROVEN;
	if (!(comparison->evidence & PIDTRACK_EVIDENCE_PID)) {
		comparison->reason = "the pid is of another pid namespace";
	} else if (!same_pid) {
		comparison->reason =
			"the process compared with has another pid";
	} else {
		comparison->verdict = PIDTRACK_VERDICT_GONE;
		comparison->reason = "no process has the pid";
	}
}

static int compare_with_none(struct pidtrack *tracker,
			     const struct process_name *name,
			     const struct fingerprint *fingerprint)
{
	struct pidtrack_comparison comparison = { 0 };
	struct pidtrack_process *ourselves;
	struct target none = { .id = *name };
	int r;

	r = pidtrack_attach(tracker, getpid(), 0, PIDTRACK_ATTACH_OBSERVE,
			    &ourselves);
	if (r < 0)
		return tracker_failed("comparing", r);
	r = compare(ourselves, fingerprint->compare, &comparison);
	if (r)
		return r;

	conclude_of_none(&comparison,
			 process_name_pid_of(fingerprint->compare) ==
				 name->pid);
	process_name_format(&none.id, none.name);
	return print_verdict(&none, &comparison, fingerprint->json);
}

static int compare_with(const struct target *target,
			const struct fingerprint *fingerprint)
{
	struct pidtrack_comparison comparison = { 0 };
	int r;

	r = compare(target->process, fingerprint->compare, &comparison);
	if (r)
		return r;
	return print_verdict(target, &comparison, fingerprint->json);
}

/*
 * The process of @name has ended and another has the number.  If that one is
 * the text's, what was asked about is neither.
 */
static int compare_with_next(struct pidtrack *tracker,
			     const struct process_name *name,
			     const struct fingerprint *fingerprint)
{
	struct pidtrack_comparison comparison = { 0 };
	struct pidtrack_process *next;
	struct target target;
	int r;

	r = pidtrack_attach(tracker, name->pid, 0, 0, &next);
	if (r == -ESRCH)
		return compare_with_none(tracker, name, fingerprint);
	if (r < 0)
		return process_name_not_attached(tracker, name, r);
	r = compare(next, fingerprint->compare, &comparison);
	if (r)
		return r;
	if (comparison.verdict == PIDTRACK_VERDICT_SAME ||
	    comparison.verdict == PIDTRACK_VERDICT_EXITED)
		return process_name_not_attached(tracker, name, -ESTALE);
	target_of(next, &target);
	return compare_with(&target, fingerprint);
}

static int compare_recorded(struct pidtrack *tracker, const char *word,
			    const struct fingerprint *fingerprint)
{
	struct target target;
	int r;

	r = target_attach(tracker, word, fingerprint->attach, &target);
	return r ? r : compare_with(&target, fingerprint);
}

static int compare_named(struct pidtrack *tracker, const char *word,
			 const struct fingerprint *fingerprint)
{
	struct pidtrack_process *process;
	struct process_name name;
	struct target target;
	int r;

	r = process_name_parse(word, &name);
	if (r)
		return r;
	if (name.record)
		return compare_recorded(tracker, word, fingerprint);
	r = pidtrack_attach(tracker, name.pid, name.inode, 0, &process);
	if (r == -ESRCH)
		return compare_with_none(tracker, &name, fingerprint);
	if (r == -ESTALE)
		return compare_with_next(tracker, &name, fingerprint);
	if (r < 0)
		return process_name_not_attached(tracker, &name, r);
	target_of(process, &target);
	return compare_with(&target, fingerprint);
}

static int take_named(struct pidtrack *tracker, const char *word,
		      const struct fingerprint *fingerprint)
{
	struct target target;
	int r;

	r = target_attach(tracker, word, fingerprint->attach, &target);
	return r ? r : print_fingerprint(&target, fingerprint->json);
}

static int fingerprint_run(int argc, char **argv)
{
	CLEANUP(pidtrack_freep) struct pidtrack *tracker = NULL;
	struct fingerprint fingerprint = { 0 };
	int r;

	r = arguments_parse(&command_fingerprint, &fingerprint, &argc, &argv);
	if (r != ARGUMENTS_FINE)
		return r;
	if (argc == 0)
		return complain_usage("which PROCESS? " PROCESS_NAME_KINDS);
	if (argc > 1)
		return complain_usage("one PROCESS at a time, not %d", argc);
	r = tracker_open(&tracker);
	if (r)
		return r;

	output_begin();
	if (fingerprint.compare)
		r = compare_named(tracker, argv[0], &fingerprint);
	else
		r = take_named(tracker, argv[0], &fingerprint);
	return output_finish(r);
}

const struct command command_fingerprint = {
	.name = "fingerprint",
	.operands = "PROCESS",
	.purpose = "Prints what a process is known by, as one line",
	.more = "PROCESS is PID, PID:INODE for one that can be no other, a\n"
		"record file or a pin, for the process that it is of.\n"
		"\n"
		"With --compare: the verdict (same, exited, reused, gone,\n"
		"other-boot, unproven), the evidence and the reason.\n"
		"\n"
		"Exits with 0; 1 if PROCESS does not exist, or with\n"
		"--compare is not the same or does not run; 2 for a wrong\n"
		"command line, 3 if nothing is to be known or it is\n"
		"unproven, 4 for a failure, also to read a record.\n",
	.options = options,
	.run = fingerprint_run,
};
