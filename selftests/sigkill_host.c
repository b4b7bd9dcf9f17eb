/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The host of sigkill_storm: takes up what the one before has left, launches,
 * is told of ends, and is killed.  On pidtrack.h alone.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "refusal.h"
#include "sigkill.h"

#define BUSY_MAX 5000	  /* ms that a host waits for the one before */
#define AT_A_TIME 12	  /* launches between two looks at events */
#define PATIENCE_MS 60000 /* of the last host, for one event */

struct host {
	struct pidtrack *tracker;
	enum storm_mode mode;
	int memory;
	int socket;
	uint32_t tracked;
	uint32_t began; /* by the clock */
	uint32_t place; /* to be looked at next */
	struct pidtrack_process *handed;
	char directory[80]; /* of pins or records; or the store */
};

/* What killing a host is to find between two lines: a call that does nothing.
 */
static void pass(void)
{
	getppid();
}

static void fail(const char *what, int r)
{
	storm_note("%s: %s", what, strerror(-r));
	storm->failed++;
	storm->refused += refusal_told(r) != NULL;
}

static struct life *life_of(uint32_t id)
{
	return &storm->lives[id];
}

/* ---- what is kept, by labels ---- */

static void label_text(uint32_t place, char text[32])
{
	snprintf(text, 32, "box/%u", place);
}

static uint32_t place_of_label(const char *label)
{
	uint32_t place;

	return label && sscanf(label, "box/%u", &place) == 1 && place < PLACES ?
		       place :
		       PLACES;
}

static void leave_place(uint32_t id)
{
	for (uint32_t i = 0; i < PLACES; i++)
		if (storm->places[i] == id)
			storm->places[i] = NOBODY_HERE;
}

/* The path of a record; ids are used once. */
static void record_path(const struct host *host, uint32_t id,
			const char *suffix, char path[128])
{
	snprintf(path, 128, "%s/%u%s", host->directory, id, suffix);
}

static void remove_records(const struct host *host, uint32_t id)
{
	static const char *const suffixes[] = { "", ".exit", ".exit.previous" };
	char path[128];

	for (size_t i = 0; i < 3; i++) {
		record_path(host, id, suffixes[i], path);
		unlink(path);
	}
	life_of(id)->removed = 1;
}

/* It is over: nothing of it is kept by the host either. */
static void is_done(const struct host *host, uint32_t id)
{
	life_of(id)->acked = 1;
	leave_place(id);
	if (host->mode == STORM_RECORDS)
		remove_records(host, id);
}

/* ---- looking at what is told ---- */

/* A launch that was refused, and whose host was killed before it was undone. */
static bool is_undone(const struct life *life, int status)
{
	return storm->refused && life->started == 0 && status == 127 << 8;
}

static void look_at_status(uint32_t id, int status, uint32_t source)
{
	struct life *life = life_of(id);

	if (source == PIDTRACK_SOURCE_UNKNOWN) {
		if (storm->tells) {
			storm_note("%u: its status is not known", id);
			storm->not_known++;
		}
		life->unknown = 1;
		return;
	}
	if (is_undone(life, status))
		return;
	if (status != life->will || !life->ending) {
		storm_note("%u: status %#x, not %#x", id, (unsigned int)status,
			   (unsigned int)life->will);
		storm->wrong_status++;
	}
}

/*
 * One that found itself without a host once it was in the store has not
 * executed, and ends in its own way.
 */
static void look_at_event(const struct host *host, uint32_t id,
			  const struct pidtrack_event *event)
{
	struct life *life = life_of(id);

	if (host->mode != STORM_STORE || life->started || life->launched) {
		look_at_status(id, event->status, event->source);
		return;
	}
	storm->denied += !life->denied;
	life->denied = 1;
}

/* Ids are userdata plus 1. */
static uint32_t id_of(const struct pidtrack_process *process)
{
	return (uint32_t)(uintptr_t)pidtrack_process_userdata(process) - 1;
}

static void own(struct host *host, struct pidtrack_process *process,
		uint32_t id)
{
	pidtrack_process_set_userdata(process, (void *)(uintptr_t)(id + 1));
	host->tracked++;
}

static void acknowledged(struct host *host)
{
	uint32_t id = storm->handed - 1;

	pass();
	is_done(host, id);
	storm->handed = 0;
	storm->acking = 0;
	host->handed = NULL;
}

static void told_last(struct host *host, const struct pidtrack_event *event)
{
	uint32_t id = id_of(event->process);

	look_at_event(host, id, event);
	life_of(id)->told++;
	host->tracked--;
	storm->handed = id + 1;
	host->handed = event->process;
	for (uint32_t i = storm_draw(3); i > 0; i--)
		pass();
	if (storm_draw(3) == 0) {
		storm->acking = 1;
		pidtrack_process_free(host->handed);
		acknowledged(host);
	}
}

/* Waits for an event: whether there was one. */
static bool take_event(struct host *host, int timeout_ms)
{
	struct pidtrack_process *handed = host->handed;
	const struct pidtrack_event *event;
	int r;

	storm->acking = handed != NULL;
	r = pidtrack_next(host->tracker, &event);
	if (handed) {
		acknowledged(host);
		pidtrack_process_free(handed);
	}
	if (r == 0 && timeout_ms > 0)
		r = pidtrack_wait(host->tracker, timeout_ms, &event);
	if (r < 0)
		fail("next", r);
	if (r <= 0)
		return false;
	if (event->flags & PIDTRACK_EVENT_LAST)
		told_last(host, event);
	else if (event->source != PIDTRACK_SOURCE_UNKNOWN)
		look_at_event(host, id_of(event->process), event);
	return true;
}

/* ---- launching ---- */

static uint32_t free_place(struct host *host)
{
	for (uint32_t i = 0; i < PLACES; i++) {
		uint32_t place = host->place++ % PLACES;

		if (storm->places[place] == NOBODY_HERE)
			return place;
	}
	return PLACES;
}

/*
 * Whether its label may still be that of a launch cut short, which takes it
 * back then; the driver stops such a one until the host after the next.
 */
static bool is_clash(const struct host *host, uint32_t place, uint32_t stage)
{
	return host->mode == STORM_STORE && stage == PIDTRACK_STAGE_KEEP &&
	       storm->cut[place] != 0 && storm->hosts - storm->cut[place] <= 2;
}

static void ask(struct host *host, uint32_t id, uint32_t place,
		const struct pidtrack_spawn_options *options)
{
	struct pidtrack_process *process;
	struct life *life = life_of(id);
	uint32_t stage;
	int r;

	storm->places[place] = id;
	storm->launching = id + 1;
	life->asked = 1;
	r = pidtrack_spawn(host->tracker, options, &process, &stage);
	if (r == -EEXIST && is_clash(host, place, stage)) {
		life->refused = 1;
		storm->clashes++;
		storm->places[place] = NOBODY_HERE;
	} else if (r < 0) {
		life->refused = 1;
		storm_note("launch of %u", id);
		fail(pidtrack_stage_name(stage), r);
		storm->places[place] = NOBODY_HERE;
	} else {
		life->launched = 1;
		own(host, process, id);
	}
	storm->launching = 0;
}

static bool launch(struct host *host)
{
	uint32_t place = free_place(host), id = storm->born;
	char label[32], number[16], path[128];
	const char *argv[] = { storm_self, "shim", number, NULL };
	struct pidtrack_fd_map fds[] = {
		{ .child_fd = 0, .fd = PIDTRACK_FD_NULL },
		{ .child_fd = SHIM_STORM, .fd = host->memory },
		{ .child_fd = SHIM_SOCKET, .fd = host->socket },
	};
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv, .label = label, .fds = fds,
				       .n_fds = 3, );

	if (place == PLACES || id == IDS_MAX || host->tracked >= PLACES)
		return false;
	storm->born = id + 1;
	label_text(place, label);
	snprintf(number, sizeof(number), "%u", id);
	if (host->mode == STORM_RECORDS) {
		record_path(host, id, "", path);
		options.record = path;
		options.flags = PIDTRACK_SPAWN_EXIT_RECORD;
	} else {
		options.flags = PIDTRACK_SPAWN_KEEP;
		options.payload = number;
		options.payload_size = strlen(number) + 1;
	}
	ask(host, id, place, &options);
	return true;
}

/* ---- taking up ---- */

/* Alive or dead, it must be true. */
static void look_at_verdict(const struct host *host, uint32_t id,
			    uint32_t verdict)
{
	const struct life *life = life_of(id);
	uint32_t dead = life->dead;
	bool lives = verdict == PIDTRACK_VERDICT_SAME;

	if (verdict == PIDTRACK_VERDICT_UNPROVEN &&
	    sandbox_refuses("pidfd_open")) {
		fail("nothing is proven", refusal_errno());
	} else if (verdict == PIDTRACK_VERDICT_UNPROVEN ||
		   verdict == PIDTRACK_VERDICT_OTHER_BOOT ||
		   (lives && dead != 0 && dead < host->began) ||
		   (!lives && life->started != 0 && !life->ending)) {
		storm_note("%u: %s, and it %s", id,
			   pidtrack_verdict_name(verdict),
			   life->ending ? "ends" : "lives");
		storm->wrong_verdict++;
	}
	if (life->acked && host->mode != STORM_RECORDS) {
		storm_note("%u: told again", id);
		storm->told_again++;
	}
}

/* Whether the process is the one that has this id. */
static bool is_it(const struct pidtrack_process *process, uint32_t id)
{
	pid_t pid = pidtrack_process_pid(process);

	return pid == 0 || life_of(id)->started == 0 || pid == life_of(id)->pid;
}

static void take_up(struct host *host,
		    const struct pidtrack_recovered *recovered, uint32_t id)
{
	if (!is_it(recovered->process, id)) {
		storm_note("%s: another than %u", recovered->name, id);
		storm->wrong_verdict++;
	}
	look_at_verdict(host, id, recovered->comparison->verdict);
	life_of(id)->recovered++;
	storm->taken_up++;
	own(host, recovered->process, id);
}

/*
 * As it says itself; its label may be another's by now if it was given to the
 * store after its host was killed.
 */
static uint32_t id_in_payload(const struct pidtrack_recovered *recovered,
			      uint32_t place)
{
	const char *payload = recovered->payload;
	uint32_t id;

	if (recovered->payload_size < 2 ||
	    payload[recovered->payload_size - 1] != 0)
		return NOBODY_HERE;
	id = (uint32_t)strtoul(payload, NULL, 10);
	if (id >= storm->born)
		return NOBODY_HERE;
	if (storm->places[place] != id && !life_of(id)->acked &&
	    (life_of(id)->launched || life_of(id)->started)) {
		storm_note("%u: was not there before", id);
		storm->wrong_verdict++;
	}
	return id;
}

static void take_up_stored(struct host *host,
			   const struct pidtrack_recovered *recovered,
			   bool there[PLACES])
{
	uint32_t place = place_of_label(recovered->label), id;

	id = place < PLACES ? id_in_payload(recovered, place) : NOBODY_HERE;
	if (id == NOBODY_HERE || !recovered->process) {
		fail(recovered->name, recovered->error);
		pidtrack_process_free(recovered->process);
		return;
	}
	there[place] = there[place] || storm->places[place] == id;
	take_up(host, recovered, id);
}

static void take_up_pin(struct host *host,
			const struct pidtrack_recovered *recovered,
			bool there[PLACES])
{
	uint32_t place = place_of_label(recovered->label), id;

	if (place == PLACES || storm->places[place] == NOBODY_HERE) {
		storm_note("%s: nobody's", recovered->name);
		storm->wrong_verdict++;
		pidtrack_process_free(recovered->process);
		return;
	}
	id = storm->places[place];
	if (!recovered->process) {
		life_of(id)->denied = recovered->error == -ENODATA;
		if (!life_of(id)->denied || life_of(id)->launched)
			fail(recovered->name, recovered->error);
		storm->denied++;
		host->place = place; /* to be used again at once */
		return;
	}
	there[place] = true;
	take_up(host, recovered, id);
}

static void take_up_kept(struct host *host)
{
	const struct pidtrack_recovered *recovered;
	struct pidtrack_recovery *recovery;
	bool there[PLACES] = { false };
	int r = pidtrack_recover(host->tracker, &recovery);

	if (r < 0) {
		fail("recover", r);
		return;
	}
	while (pidtrack_recovery_next(recovery, &recovered) > 0)
		(host->mode == STORM_PINS ? take_up_pin : take_up_stored)(
			host, recovered, there);
	pidtrack_recovery_free(recovery);
	for (uint32_t place = 0; place < PLACES; place++)
		if (!there[place])
			storm->places[place] = NOBODY_HERE;
}

/* There is no process any more: what is known of its end. */
static void bury(const struct host *host, uint32_t id,
		 const struct pidtrack_record *record)
{
	struct pidtrack_ending ending = { .status = -1 };
	struct life *life = life_of(id);
	char path[128];
	int r;

	record_path(host, id, "", path);
	r = pidtrack_ending_read(path, record, &ending, sizeof(ending));
	if (r < 0 && r != -ENOENT)
		fail(path, r);
	if (r >= 0) {
		look_at_status(id, ending.status, ending.source);
		storm->written++;
	}
	/* before any host was told it was recorded, if it could be */
	if (r < 0 && life->told && !life->nameless) {
		storm_note("%u: told, and not recorded", id);
		storm->wrong_status++;
	}
	if (r < 0)
		life->unknown = 1;
	is_done(host, id);
}

static void attach(struct host *host, uint32_t id,
		   const struct pidtrack_record *record)
{
	struct pidtrack_process *process;
	struct pidtrack_comparison comparison;
	char path[128];
	struct pidtrack_record_options options =
		PIDTRACK_RECORD_OPTIONS(.flags = PIDTRACK_RECORD_WITH_EXIT,
					.path = path, );
	int r;

	record_path(host, id, "", path);
	r = pidtrack_attach_record(host->tracker, record, 0, &process,
				   &comparison, sizeof(comparison));
	look_at_verdict(host, id, comparison.verdict);
	if (r == -ESRCH || r == -ESTALE) {
		bury(host, id, record);
		return;
	}
	if (r < 0) {
		fail("attach", r);
		return;
	}
	own(host, process, id);
	storm->taken_up++;
	r = pidtrack_process_record(process, &options);
	/* of one without a number, as it was reaped just now, there is none */
	if (r < 0 && pidtrack_process_pid(process) == 0)
		life_of(id)->nameless = 1;
	else if (r < 0)
		fail("record", r);
}

static void take_up_record(struct host *host,
			   const struct pidtrack_found *found)
{
	uint32_t id = (uint32_t)strtoul(found->name, NULL, 10);

	if (!found->record || id >= storm->born) {
		fail(found->name, found->error);
		return;
	}
	life_of(id)->recovered++;
	if (life_of(id)->acked) {
		remove_records(host, id);
		return;
	}
	look_at_verdict(host, id, found->comparison->verdict);
	attach(host, id, found->record);
}

static void remove_drafts(const struct host *host)
{
	DIR *directory = opendir(host->directory);
	struct dirent *file;

	while (directory && (file = readdir(directory)))
		if (!strncmp(file->d_name, ".pidtrack-", 10))
			unlinkat(dirfd(directory), file->d_name, 0);
	if (directory)
		closedir(directory);
}

static void take_up_records(struct host *host)
{
	const struct pidtrack_found *found;
	struct pidtrack_registry *registry;
	int r = pidtrack_registry_open(host->directory, 0, &registry);

	if (r < 0) {
		fail("registry", r);
		return;
	}
	while ((r = pidtrack_registry_next(registry, host->tracker, &found)) >
	       0)
		take_up_record(host, found);
	if (r < 0)
		fail("registry", r);
	pidtrack_registry_free(registry);
	for (uint32_t id = 0; id < storm->born; id++)
		if (life_of(id)->acked && !life_of(id)->removed)
			remove_records(host, id);
	for (uint32_t place = 0; place < PLACES; place++)
		storm->places[place] = NOBODY_HERE;
}

/* ---- its life ---- */

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void make_tracker(struct host *host)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	struct pidtrack_options options = PIDTRACK_OPTIONS(0);
	int r = -EBUSY;

	if (host->mode == STORM_PINS)
		options.pins = host->directory;
	if (host->mode == STORM_STORE)
		options.store = host->directory;
	/* a child of the host before has its descriptors, and so the lock,
	   until it has its own */
	for (int i = 0; r == -EBUSY && i < BUSY_MAX; i++) {
		r = pidtrack_new(&options, &host->tracker);
		if (r == -EBUSY) {
			storm->busy++;
			nanosleep(&moment, NULL);
		}
	}
	if (r < 0) {
		fail("no tracker", r);
		_exit(2);
	}
}

/* What the host before was killed in. */
static void note_cut(void)
{
	uint32_t host = ++storm->hosts;

	if (storm->handed && storm->acking)
		life_of(storm->handed - 1)->acking = 1;
	for (uint32_t i = 0; storm->launching && i < PLACES; i++)
		if (storm->places[i] == storm->launching - 1)
			storm->cut[i] = host;
}

static void go_on(struct host *host)
{
	for (;;) {
		for (uint32_t i = storm_draw(AT_A_TIME); i > 0; i--)
			if (storm->finish || !launch(host))
				break;
		if (storm->finish && host->tracked == 0 && !host->handed)
			return;
		if (storm->finish && storm->refused)
			_exit(3); /* what it is to wait for may never come */
		for (uint32_t i = 1 + storm_draw(2 * AT_A_TIME); i > 0; i--)
			if (!take_event(host, i == 1 ? 5 : 0))
				break;
	}
}

_Noreturn void storm_host(enum storm_mode mode, int memory, int socket)
{
	struct host host = {
		.mode = mode,
		.memory = memory,
		.socket = socket,
		.began = storm->clock++,
		.place = storm_draw(PLACES),
	};
	/* of others it would be most of what there is to follow of them */
	int fds = storm->finish ? count_fds() : 0;

	note_cut();
	storm->launching = storm->handed = storm->acking = 0;
	snprintf(host.directory, sizeof(host.directory), "%s/%s", storm_room,
		 mode == STORM_PINS ? "pins" : "records");
	if (mode == STORM_STORE)
		storm_hold_path(host.directory);
	make_tracker(&host);
	host.began = storm->clock++;
	if (mode == STORM_RECORDS)
		take_up_records(&host);
	else
		take_up_kept(&host);
	storm->host_is_up = 1;
	go_on(&host);
	pidtrack_free(host.tracker);
	if (mode == STORM_RECORDS)
		remove_drafts(&host);
	storm->left += (uint32_t)(count_fds() - fds);
	_exit(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD ? 0 : 3);
}
