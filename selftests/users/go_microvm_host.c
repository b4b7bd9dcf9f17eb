/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A host with go-microvm's files: DIR/go-microvm-state.json says which runner
 * there is, in a session and group of its own, and DIR/data is that one's.  The
 * state has one field more, pid_fingerprint; and DIR/runner.pid is for who only
 * wants a pid file.
 *
 *	go_microvm_host DIR start NAME RUNNER...	ends a stale runner
 *first, and wipes data when that is certain go_microvm_host DIR status	looks,
 *and changes nothing go_microvm_host DIR stop [MS]	SIGTERM to its group, so
 *many ms later SIGKILL, and waits
 *
 * With GO_MICROVM_ADOPT a state of an older one is believed, without a
 * fingerprint, if the process with that number executes the path it names.
 */
#include <json-c/json.h>
#include <signal.h>
#include <time.h>

#include "host.h"

struct runner {
	const char *dir;
	struct pidtrack *tracker;
	struct json_object *state;
	struct pidtrack_process *process;
	struct pidtrack_comparison found;
};

/* ---- the state ---- */

static const char *state_text(const struct runner *runner, const char *name)
{
	struct json_object *value;

	if (!json_object_object_get_ex(runner->state, name, &value))
		return "";
	return json_object_get_string(value);
}

static void state_set(struct runner *runner, const char *name,
		      struct json_object *value)
{
	json_object_object_add(runner->state, name, value);
}

/* False if there is one, and it cannot be read. */
static bool state_read(struct runner *runner)
{
	struct host_path path =
		host_path("%s/go-microvm-state.json", runner->dir);

	runner->state = json_object_from_file(path.text);
	return runner->state || (access(path.text, F_OK) && errno == ENOENT);
}

static void state_write(const struct runner *runner)
{
	int r = host_put(
		host_path("%s/go-microvm-state.json", runner->dir).text,
		json_object_to_json_string_ext(
			runner->state, JSON_C_TO_STRING_PRETTY |
					       JSON_C_TO_STRING_SPACED |
					       JSON_C_TO_STRING_NOSLASHESCAPE));

	if (r < 0)
		host_fail("state", r);
}

/* In the order in which go-microvm has them. */
static void state_new(struct runner *runner, const char *name)
{
	char now[32];
	time_t seconds = time(NULL);

	strftime(now, sizeof(now), "%FT%TZ", gmtime(&seconds));
	json_object_put(runner->state);
	runner->state = json_object_new_object();
	state_set(runner, "version", json_object_new_int(1));
	state_set(runner, "active", json_object_new_boolean(true));
	state_set(runner, "name", json_object_new_string(name));
	state_set(runner, "image", json_object_new_string(""));
	state_set(runner, "cpus", json_object_new_int(1));
	state_set(runner, "memory_mb", json_object_new_int(512));
	state_set(runner, "created_at", json_object_new_string(now));
}

static void state_set_runner(struct runner *runner)
{
	char text[PIDTRACK_FINGERPRINT_MAX];
	int r;

	r = pidtrack_process_fingerprint(runner->process, text, sizeof(text));
	if (r < 0)
		host_fail("fingerprint", r);
	state_set(runner, "pid",
		  json_object_new_int(pidtrack_process_pid(runner->process)));
	state_set(runner, "pid_fingerprint", json_object_new_string(text));
	state_write(runner);
}

static void state_set_stopped(struct runner *runner)
{
	state_set(runner, "active", json_object_new_boolean(false));
	json_object_object_del(runner->state, "pid");
	json_object_object_del(runner->state, "pid_fingerprint");
	state_write(runner);
	unlink(host_path("%s/runner.pid", runner->dir).text);
}

/* ---- the runner ---- */

/*
 * Who the state says it is: a fingerprint; of an older go-microvm a number, and
 * for those who want to believe it the path it should execute.  If it names
 * nobody, or is no state, the host before may not have come to writing it: then
 * who the record says, which is there before the runner is.
 */
static int identify(struct runner *runner, struct pidtrack_record **ret_record)
{
	const char *fingerprint = state_text(runner, "pid_fingerprint");
	const char *pid = state_text(runner, "pid");
	const char *exe = getenv("GO_MICROVM_ADOPT");
	struct host_path text =
		host_path("%s", *fingerprint ? fingerprint : pid);

	if (!*text.text)
		return pidtrack_record_read(
			host_path("%s/runner.pid", runner->dir).text,
			ret_record);
	if (!*fingerprint && exe)
		text = host_path("%s\n%s", pid, exe);
	return pidtrack_record_parse(text.text, strlen(text.text), ret_record);
}

static void find(struct runner *runner)
{
	CLEANUP(host_forget) struct pidtrack_record *record = NULL;
	uint32_t flags = getenv("GO_MICROVM_ADOPT") ? PIDTRACK_ATTACH_LEGACY :
						      0;
	bool damaged = !state_read(runner);
	int r = identify(runner, &record);

	runner->found = (struct pidtrack_comparison){
		.verdict = PIDTRACK_VERDICT_UNPROVEN,
	};
	if (r >= 0)
		r = pidtrack_attach_record(runner->tracker, record, flags,
					   &runner->process, &runner->found,
					   sizeof(runner->found));
	if (r == -ENOENT && !damaged) {
		runner->found.verdict = PIDTRACK_VERDICT_GONE;
		runner->found.reason = "no runner is known";
	} else if (!runner->found.reason) {
		runner->found.reason = strerror(-r);
	}
	if (runner->process &&
	    runner->found.verdict == PIDTRACK_VERDICT_UNPROVEN)
		state_set_runner(runner); /* believed once */
}

static int say(const struct runner *runner)
{
	printf("%s %d: %s\n", pidtrack_verdict_name(runner->found.verdict),
	       runner->process ? pidtrack_process_pid(runner->process) : 0,
	       runner->found.reason);
	if (runner->process)
		return 0;
	return host_may_clean_up(runner->found.verdict) ? HOST_NO : HOST_UNSURE;
}

/* It, and all of its group, are no more: or the end of this life. */
static void end(struct runner *runner, uint32_t term_ms)
{
	const struct pidtrack_stop_step steps[] = { { SIGTERM, term_ms },
						    { SIGKILL, 2000 } };
	struct pidtrack_stop_options options =
		PIDTRACK_STOP_OPTIONS(.flags = PIDTRACK_STOP_GROUP,
				      .steps = steps, .n_steps = 2);
	int r = 0;

	find(runner);
	if (say(runner) == HOST_UNSURE)
		exit(HOST_UNSURE);
	if (runner->process)
		r = host_stop(runner->tracker, runner->process, &options);
	if (r < 0)
		host_fail("stop", r);
	runner->process = pidtrack_process_free(runner->process);
}

/* ---- commands ---- */

static int start(struct runner *runner, const char *name, char **argv)
{
	struct host_path record = host_path("%s/runner.pid", runner->dir);
	struct host_path data = host_path("%s/data", runner->dir);
	int log = open(host_path("%s/runner.log", runner->dir).text,
		       O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	struct pidtrack_fd_map fds[] = { { 0, PIDTRACK_FD_NULL },
					 { 1, log },
					 { 2, log } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.flags = PIDTRACK_SPAWN_DETACHED,
				       .argv = (const char *const *)argv,
				       .fds = fds, .n_fds = 3, .label = name,
				       .record = record.text);
	uint32_t stage = 0;
	int r;

	if (log < 0)
		host_fail("runner.log", -errno);
	end(runner, 5000);
	host_remove_tree(data.text);
	mkdir(data.text, 0700);
	state_new(runner, name);
	unlink(record.text);
	state_write(runner); /* it names nobody yet */
	r = pidtrack_spawn(runner->tracker, &options, &runner->process, &stage);
	if (r < 0)
		host_fail(pidtrack_stage_name(stage), r);
	close(log);
	state_set_runner(runner);
	printf("started %d\n", pidtrack_process_pid(runner->process));
	return 0;
}

static int stop(struct runner *runner, const char *ms)
{
	end(runner, ms ? (uint32_t)atoi(ms) : 30000);
	if (runner->state)
		state_set_stopped(runner);
	printf("stopped\n");
	return 0;
}

static int run(struct runner *runner, int argc, char **argv)
{
	const char *command = argc > 2 ? argv[2] : "";

	if (!strcmp(command, "start") && argc > 4)
		return start(runner, argv[3], argv + 4);
	if (!strcmp(command, "stop"))
		return stop(runner, argv[3]);
	if (strcmp(command, "status") != 0) {
		fprintf(stderr, "usage: go_microvm_host DIR start NAME "
				"RUNNER... | status | stop [MS]\n");
		return HOST_USAGE;
	}
	find(runner);
	return say(runner);
}

int main(int argc, char **argv)
{
	struct runner runner = { .dir = argc > 1 ? argv[1] : "." };
	int r;

	runner.tracker = host_begin();
	r = run(&runner, argc, argv);
	json_object_put(runner.state);
	pidtrack_free(runner.tracker);
	return r;
}
