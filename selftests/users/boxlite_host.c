/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A host with boxlite's files: HOME/boxes/ID/ has shim.pid, and exit, which a
 * shim writes when it fails; HOME/db/ID stands for the row of the database.
 *
 *	boxlite_host HOME create ID
 *	boxlite_host HOME run ID PROGRAM...	and stays: its shim ends with it
 *	boxlite_host HOME detach ID PROGRAM...	and leaves it
 *	boxlite_host HOME recover [adopt]	what has become of all boxes;
 *adopt: also of those that an old boxlite left with a number alone boxlite_host
 *HOME status ID		looks, and changes nothing boxlite_host HOME
 *stop ID [MS]		SIGTERM, so many ms later SIGKILL boxlite_host HOME
 *remove ID [force] boxlite_host HOME shutdown		of those that are not
 *detached
 *
 * A box is Configured, Running, Stopped, Failed; and Unknown, with a reason, as
 * long as nobody can tell: then nothing of it is signalled or taken away.
 */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "host.h"

#define CAPABILITY "services-mux-v1" /* what was line 3 */
#define STOP_MS 10000		     /* a shim takes up to 8 s for its disks */

struct box {
	struct pidtrack *tracker;
	const char *id;
	struct host_path dir, record, exit, previous, row;
	char state[16];
	bool detached;
	struct pidtrack_process *process; /* if there is one */
	struct pidtrack_comparison found;
};

/* ---- its row ---- */

static struct box box_of(struct pidtrack *tracker, const char *home,
			 const char *id)
{
	struct box box = {
		.tracker = tracker,
		.id = id,
		.dir = host_path("%s/boxes/%s", home, id),
		.record = host_path("%s/boxes/%s/shim.pid", home, id),
		.exit = host_path("%s/boxes/%s/exit", home, id),
		.previous = host_path("%s/boxes/%s/exit.previous", home, id),
		.row = host_path("%s/db/%s", home, id),
	};
	CLEANUP(host_free) char *row = host_get(box.row.text);

	sscanf(row, "%15s", box.state);
	box.detached = strstr(row, " detached");
	return box;
}

static bool is(const struct box *box, const char *state)
{
	return !strcmp(box->state, state);
}

/* Saved if it is another, and said in either case. */
static void become(struct box *box, const char *state, const char *why)
{

	struct host_path row =
		host_path("%s%s\n", state, box->detached ? " detached" : "");
	int r = 0;

	printf("%s %s%s\n", box->id, state, why);
	if (!is(box, state)) {
		r = host_put(box->row.text, row.text);
		snprintf(box->state, sizeof(box->state), "%s", state);
	}
	if (r < 0)
		host_fail(box->row.text, r);
	fflush(stdout);
}

/* ---- its shim ---- */

/*
 * What the record leads to.  A shim has its record before it runs, and only we
 * remove one: where there is none, there is no shim.
 */
static void find(struct box *box, uint32_t flags)
{
	CLEANUP(host_forget) struct pidtrack_record *record = NULL;
	int r = pidtrack_record_read(box->record.text, &record);

	box->found = (struct pidtrack_comparison){
		.verdict = PIDTRACK_VERDICT_UNPROVEN
	};
	if (r >= 0)
		r = pidtrack_attach_record(box->tracker, record, flags,
					   &box->process, &box->found,
					   sizeof(box->found));
	if (r == -ENOENT) {
		box->found.verdict = PIDTRACK_VERDICT_GONE;
		box->found.reason = "there is no record";
	} else if (!box->found.reason) {
		box->found.reason = strerror(-r);
	}
	if (box->process && box->found.verdict == PIDTRACK_VERDICT_UNPROVEN) {
		struct pidtrack_record_options options =
			PIDTRACK_RECORD_OPTIONS(.path = box->record.text,
						.label = box->id);

		r = pidtrack_process_record(box->process, &options);
		if (r < 0)
			host_fail(box->record.text, r);
	}
}

/* The shim is no more: what it, or boxlite's recovery, leaves of it. */
static void bury(struct box *box, const char *why)
{
	CLEANUP(host_free) char *report = host_get(box->exit.text);
	static const char json[] = "{\"type\":\"";

	if (box->found.verdict != PIDTRACK_VERDICT_EXITED)
		unlink(box->record.text);
	if (!strncmp(report, json, strlen(json)) && strchr(report, '}'))
		become(box, "Failed", host_path(": %s", report).text);
	else
		become(box, is(box, "Running") ? "Stopped" : box->state,
		       host_path(": %s", why).text);
}

/* Of a shim that lives, an exit is of one before. */
static void lives(struct box *box, const char *why)
{
	rename(box->exit.text, box->previous.text);
	become(box, "Running",
	       host_path(" %d: %s", pidtrack_process_pid(box->process), why)
		       .text);
}

static int unknown(const struct box *box)
{
	printf("%s Unknown: %s\n", box->id, box->found.reason);
	return HOST_UNSURE;
}

static int end(struct box *box, uint32_t term_ms)
{
	const struct pidtrack_stop_step steps[] = { { SIGTERM, term_ms },
						    { SIGKILL, 2000 } };
	const uint32_t n = term_ms ? 2 : 1;
	struct pidtrack_stop_options options =
		PIDTRACK_STOP_OPTIONS(.flags = PIDTRACK_STOP_GROUP |
					       PIDTRACK_STOP_TREE,
				      .steps = &steps[2 - n], .n_steps = n);

	return host_stop(box->tracker, box->process, &options);
}

/* ---- commands ---- */

static void recover(struct box *box, uint32_t flags)
{
	find(box, flags);
	if (box->found.verdict == PIDTRACK_VERDICT_EXITED ||
	    host_may_clean_up(box->found.verdict))
		bury(box, box->found.reason);
	else if (box->process)
		lives(box, box->found.reason);
	else
		unknown(box);
	box->process = pidtrack_process_free(box->process);
}

static int status(struct box *box)
{
	find(box, PIDTRACK_ATTACH_OBSERVE);
	if (box->found.verdict == PIDTRACK_VERDICT_UNPROVEN)
		return unknown(box);
	printf("%s %s %d: %s\n", box->id,
	       pidtrack_verdict_name(box->found.verdict),
	       box->process ? pidtrack_process_pid(box->process) : 0,
	       box->found.reason);
	return box->found.verdict == PIDTRACK_VERDICT_SAME ? 0 : HOST_NO;
}

static int stop_found(struct box *box, uint32_t term_ms)
{
	int r = box->process ? end(box, term_ms) : 0;

	if (r < 0)
		host_fail(box->id, r);
	unlink(box->record.text);
	become(box, "Stopped", host_path(": %s", box->found.reason).text);
	return 0;
}

static int stop(struct box *box, uint32_t term_ms)
{
	if (!is(box, "Running")) {
		printf("%s %s: nothing to stop\n", box->id, box->state);
		return 0;
	}
	find(box, 0);
	if (!box->process && !host_may_clean_up(box->found.verdict))
		return unknown(box);
	return stop_found(box, term_ms);
}

static int take_away(struct box *box, bool force)
{
	int r;

	find(box, 0);
	if (box->process && !force) {
		printf("%s is running, and not removed\n", box->id);
		return HOST_NO;
	}
	if (!box->process && !host_may_clean_up(box->found.verdict))
		return unknown(box);
	r = box->process ? end(box, 0) : 0;
	if (r < 0)
		host_fail(box->id, r);
	host_remove_tree(box->dir.text);
	unlink(box->row.text);
	printf("%s removed\n", box->id);
	return 0;
}

/* Until the shim ends, or whoever started us wants us to. */
static int stay(struct box *box)
{
	struct pollfd fds[] = { { .fd = 0 },
				{ .fd = pidtrack_fd(box->tracker),
				  .events = POLLIN } };
	const struct pidtrack_event *event;
	int r = 0;

	while (r == 0 && !fds[0].revents) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			host_fail("poll", -errno);
		r = pidtrack_next(box->tracker, &event);
	}
	if (r < 0)
		host_fail(box->id, r);
	if (r > 0) {
		bury(box, host_path("status %d", event->status).text);
		return 0;
	}
	box->found.reason = "with its host";
	return stop_found(box, STOP_MS);
}

static int launch(struct box *box, char **argv)
{
	struct host_path path = host_path("%s/shim.log", box->dir.text);
	int log = open(path.text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
		       0600);
	struct pidtrack_fd_map fds[] = { { 0, PIDTRACK_FD_NULL },
					 { 1, log },
					 { 2, log } };
	struct pidtrack_spawn_options options = PIDTRACK_SPAWN_OPTIONS(
			.flags = box->detached ? PIDTRACK_SPAWN_DETACHED :
						 PIDTRACK_SPAWN_SETSID |
							 PIDTRACK_SPAWN_BOUND,
			.argv = (const char *const *)argv, .fds = fds,
			.n_fds = 3, .label = box->id,
			.record = box->record.text, .payload = CAPABILITY,
			.payload_size = strlen(CAPABILITY));
	uint32_t stage = 0;
	int r;

	if (log < 0)
		host_fail(path.text, -errno);
	r = pidtrack_spawn(box->tracker, &options, &box->process, &stage);
	if (r < 0)
		host_fail(pidtrack_stage_name(stage), r);
	close(log);
	lives(box, "launched");
	return box->detached ? 0 : stay(box);
}

static int start(struct box *box, char **argv, bool detached)
{
	find(box, 0);
	if (box->process && box->found.verdict == PIDTRACK_VERDICT_SAME) {
		printf("%s is running\n", box->id);
		return HOST_NO;
	}
	if (!box->process && !host_may_clean_up(box->found.verdict))
		return unknown(box);
	box->process = pidtrack_process_free(box->process);
	box->detached = detached;
	return launch(box, argv);
}

static int each(const char *home, const char *command, uint32_t argument)
{
	struct pidtrack *tracker = host_begin();
	struct host_path rows = host_path("%s/db", home);
	struct dirent **names;
	int i, n = scandir(rows.text, &names, NULL, alphasort), r = 0;

	for (i = 0; i < n; i++) {
		struct box box = box_of(tracker, home, names[i]->d_name);

		if (box.id[0] != '.' && !strcmp(command, "recover"))
			recover(&box, argument);
		else if (box.id[0] != '.' && !box.detached)
			r |= stop(&box, argument);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	pidtrack_free(tracker);
	return r;
}

static int one(struct box *box, const char *command, char **argv)
{
	const char *word = argv[0];

	if (!strcmp(command, "create")) {
		mkdir(box->dir.text, 0755);
		become(box, "Configured", "");
		return 0;
	}
	if (!*box->state) {
		fprintf(stderr, "%s is no box\n", box->id);
		return HOST_FAILED;
	}
	if (!strcmp(command, "run") && word)
		return start(box, argv, false);
	if (!strcmp(command, "detach") && word)
		return start(box, argv, true);
	if (!strcmp(command, "status"))
		return status(box);
	if (!strcmp(command, "stop"))
		return stop(box, word ? (uint32_t)atoi(word) : STOP_MS);
	if (!strcmp(command, "remove"))
		return take_away(box, word && !strcmp(word, "force"));
	return HOST_USAGE;
}

int main(int argc, char **argv)
{
	const char *command = argc > 2 ? argv[2] : "";
	struct pidtrack *tracker;
	struct box box;
	int r;

	if (!strcmp(command, "recover"))
		return each(argv[1], command,
			    argc > 3 ? PIDTRACK_ATTACH_LEGACY : 0);
	if (!strcmp(command, "shutdown"))
		return each(argv[1], command,
			    argc > 3 ? (uint32_t)atoi(argv[3]) : STOP_MS);
	if (argc < 4) {
		fprintf(stderr, "usage: boxlite_host HOME COMMAND [ID ...]\n");
		return HOST_USAGE;
	}
	tracker = host_begin();
	box = box_of(tracker, argv[1], argv[3]);
	r = one(&box, command, argv + 4);
	pidtrack_free(tracker);
	return r;
}
