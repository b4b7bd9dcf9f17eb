/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The host of soak: does everything that hosts do, in no order.  On pidtrack.h
 * alone.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "soak.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define ORPHAN_MS 400
#ifdef __SANITIZE_THREAD__
#define THREADS 2 /* TSan has one of its own */
#else
#define THREADS 1
#endif
#define RENEWAL_MS 2500 /* at most, a tracker's or an image's life */

static struct host_memory *mine;
static struct figures *figures;

static struct host {
	uint32_t number;
	bool threaded; /* its tracker */
	bool draining;
	struct pidtrack *tracker;
	struct pidtrack_process *processes[MEMBERS];
	struct pidtrack_process *done; /* told, and kept a while */
	int64_t renewal_ms;
	pthread_t thief;
	bool stealing;
	_Atomic bool stop_thief;
	pthread_mutex_t lock; /* of thefts, and of children that are born */
	int32_t bytes;	      /* before the first tracker */
	int32_t resident_kb;  /* at the first look */
} host = { .lock = PTHREAD_MUTEX_INITIALIZER };

static uint32_t draw(uint32_t below)
{
	mine->random = mine->random * 1664525 + 1013904223;
	return (mine->random >> 8) % below;
}

static void fail(const char *what, int r)
{
	soak_note("host %u: %s: %s", host.number, what, strerror(-r));
	figures->failed++;
}

static void path_in_room(const char *kind, char path[128])
{
	snprintf(path, 128, "%s/%s%u", soak->room, kind, host.number);
}

/* ---- a thief: waits for whomever it can, now and then ---- */

static void remember(pid_t pid, int status)
{
	uint32_t n = mine->n_thefts;

	mine->thefts[n % THEFTS] = (struct theft){ pid, status };
	mine->n_thefts = n + 1;
	figures->stolen++;
}

static int status_of(const siginfo_t *seen)
{
	return seen->si_code == CLD_EXITED ? seen->si_status << 8 :
					     seen->si_status;
}

static bool steal_one(uint32_t random)
{
	siginfo_t seen = { .si_pid = 0 };
	int status;
	pid_t pid;

	pthread_mutex_lock(&host.lock);
	if (random % 2) {
		pid = waitpid(-1, &status, WNOHANG);
	} else {
		waitid(P_ALL, 0, &seen, WEXITED | WNOHANG);
		pid = seen.si_pid;
		status = status_of(&seen);
	}
	if (pid > 0)
		remember(pid, status);
	pthread_mutex_unlock(&host.lock);
	return pid > 0;
}

static void *thief_run(void *unused)
{
	uint32_t random = 1;

	while (!host.stop_thief) {
		random = random * 1664525 + 1013904223;
		/* not always, or no orphan were left to collect */
		if (soak_now_ms() % 4096 < 600)
			while (steal_one(random >> 8) && random >> 31)
				;
		soak_sleep_ms(random >> 24 & 15);
	}
	return unused;
}

static void start_thief(void)
{
	host.stop_thief = false;
	host.stealing = !pthread_create(&host.thief, NULL, thief_run, NULL);
}

static void end_thief(void)
{
	if (!host.stealing)
		return;
	host.stop_thief = true;
	pthread_join(host.thief, NULL);
	host.stealing = false;
}

static bool is_stolen(pid_t pid, uint32_t since, int *ret_status)
{
	uint32_t n = mine->n_thefts;

	for (uint32_t i = since; i != n; i++) {
		if (mine->thefts[i % THEFTS].pid != pid)
			continue;
		*ret_status = mine->thefts[i % THEFTS].status;
		return true;
	}
	return false;
}

/* ---- members ---- */

static struct member *member_new(enum kinds kind)
{
	for (uint32_t i = 0; i < MEMBERS; i++) {
		struct member *member = &mine->members[i];

		if (member->id != 0 || mine->ids + 1 >= IDS_MAX)
			continue;
		*member = (struct member){ .id = ++mine->ids,
					   .kind = kind,
					   .thefts = mine->n_thefts };
		return member;
	}
	return NULL;
}

static uint32_t index_of(const struct member *member)
{
	return (uint32_t)(member - mine->members);
}

/* What a process carries, through handoffs too. */
struct tag {
	uint32_t index;
	uint32_t id;
};

static struct member *member_of_tag(const void *bytes, size_t size)
{
	struct tag tag;

	if (size != sizeof(tag))
		return NULL;
	memcpy(&tag, bytes, sizeof(tag));
	return tag.index < MEMBERS && mine->members[tag.index].id == tag.id ?
		       &mine->members[tag.index] :
		       NULL;
}

static struct member *member_of(const struct pidtrack_process *process)
{
	uintptr_t place = (uintptr_t)pidtrack_process_userdata(process);

	return place ? &mine->members[place - 1] : NULL;
}

static void own(struct member *member, struct pidtrack_process *process)
{
	uint32_t index = index_of(member);

	host.processes[index] = process;
	pidtrack_process_set_userdata(process, (void *)(uintptr_t)(index + 1));
}

static void label_text(const struct member *member, char text[32])
{
	snprintf(text, 32, "box/%u.%u", index_of(member), member->id);
}

static struct member *member_of_label(const char *label)
{
	uint32_t index, id;

	if (!label || sscanf(label, "box/%u.%u", &index, &id) != 2 ||
	    index >= MEMBERS || mine->members[index].id != id)
		return NULL;
	return &mine->members[index];
}

/* Not told of any more, but kept until it ends. */
static bool is_released(const char *label)
{
	uint32_t index, id;

	return label && sscanf(label, "box/%u.%u", &index, &id) == 2 &&
	       id <= mine->ids && mine->released[id / 8] >> id % 8 & 1;
}

static void record_path(const struct member *member, const char *suffix,
			char path[128])
{
	snprintf(path, 128, "%s/records%u/%u%s", soak->room, host.number,
		 member->id, suffix);
}

static bool cgroup_path(const struct member *member, char path[800])
{
	snprintf(path, 800, "%s/%u-%u", soak->cgroup, host.number, member->id);
	return soak->cgroup[0];
}

/* ---- looking at what is told ---- */

static void look_at_status(const struct member *member, int status,
			   uint32_t source)
{
	if (source == PIDTRACK_SOURCE_UNKNOWN || member->kind == ADOPTED ||
	    status == member->will)
		return;
	soak_note("host %u: %u: status %#x, not %#x (way %d)", host.number,
		  member->id, (unsigned int)status, (unsigned int)member->will,
		  (int)member->way);
	figures->wrong++;
}

static void remove_files(const struct member *member)
{
	static const char *const suffixes[] = { "", ".exit", ".exit.previous" };
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		record_path(member, suffixes[i], path);
		unlink(path);
	}
}

/* Its end was told, and so recorded. */
static void look_at_record(const struct member *member)
{
	struct pidtrack_comparison comparison = { 0 };
	struct pidtrack_ending ending = { .status = -1 };
	struct pidtrack_record *record;
	char path[128];
	int r;

	record_path(member, "", path);
	r = pidtrack_record_read(path, &record);
	if (r < 0) {
		fail(path, r);
		return;
	}
	r = pidtrack_ending_read(path, record, &ending, sizeof(ending));
	if (r < 0)
		fail("ending", r);
	else
		look_at_status(member, ending.status, ending.source);
	pidtrack_verify(host.tracker, record, &comparison, sizeof(comparison));
	if (soak->pidfs && (comparison.verdict == PIDTRACK_VERDICT_SAME ||
			    comparison.verdict == PIDTRACK_VERDICT_UNPROVEN)) {
		soak_note("host %u: %u has ended, and is %s", host.number,
			  member->id,
			  pidtrack_verdict_name(comparison.verdict));
		figures->wrong++;
	}
	r = pidtrack_record_remove(path, record);
	if (r < 0)
		fail("remove", r);
	pidtrack_record_free(record);
	remove_files(member);
	figures->recorded++;
}

/* Whether @member is not in @ids yet, where it is from now on. */
static bool note_in(uint8_t *ids, const struct member *member)
{
	uint8_t *byte = &ids[member->id / 8];
	uint8_t bit = (uint8_t)(1 << member->id % 8);
	bool news = !(*byte & bit);

	*byte |= bit;
	return news;
}

static void note_told(const struct member *member)
{
	if (!note_in(mine->seen, member)) {
		soak_note("host %u: %u is told again", host.number, member->id);
		figures->doubled++;
	}
	figures->told++;
}

static void leave(struct member *member)
{
	char path[800];

	if (member->way == CGROUP && cgroup_path(member, path))
		rmdir(path); /* or later */
	if (member->kind == STRANGE)
		soak->strangers[host.number][member->peer].told = true;
	host.processes[index_of(member)] = NULL;
	member->id = 0;
}

static void told_last(struct member *member, const struct pidtrack_event *event)
{
	note_told(member);
	if (event->source == PIDTRACK_SOURCE_UNKNOWN) {
		if (soak->tells && member->kind != ADOPTED) {
			soak_note("host %u: %u: not known how (way %d)",
				  host.number, member->id, (int)member->way);
			figures->wrong++;
		}
		figures->unknown++;
	}
	figures->recovered += event->source == PIDTRACK_SOURCE_RECOVERED;
	if (event->flags & PIDTRACK_EVENT_UNRECORDED)
		fail("exit record", -EIO);
	if (member->recorded)
		look_at_record(member);
	leave(member);
	pidtrack_process_free(host.done);
	host.done = NULL;
	if (draw(4))
		pidtrack_process_free(event->process);
	else
		host.done = event->process;
}

static bool is_kid(pid_t pid)
{
	for (int i = 0; i < KIDS; i++)
		if (mine->kids[i].pid == pid)
			return true;
	return pid == mine->bystander;
}

/* Somebody has ended: the library asks whose it is. */
static void look_at_orphan(const struct pidtrack_event *event)
{
	struct pidtrack_process *process;
	struct member *member;
	struct tag tag;
	int r;

	if (is_kid(event->pid))
		return;
	member = draw(2) ? member_new(ADOPTED) : NULL;
	if (!member) {
		waitid(P_PIDFD, (id_t)event->pidfd, NULL, WEXITED | WNOHANG);
		figures->orphans++;
		return;
	}
	tag = (struct tag){ index_of(member), member->id };
	r = pidtrack_attach_pidfd(host.tracker, event->pidfd, 0, &process);
	if (r < 0) {
		member->id = 0;
		if (r != -ESRCH) /* stolen */
			fail("adopt", r);
		return;
	}
	figures->orphans++;
	own(member, process);
	member->pid = pidtrack_process_pid(process);
	pidtrack_process_set_payload(process, &tag, sizeof(tag));
}

static void go_on(const struct member *member)
{
	int r = pidtrack_process_signal(host.processes[index_of(member)],
					SIGCONT);

	if (r < 0)
		fail("continue", r);
}

static void look_at(const struct pidtrack_event *event)
{
	struct member *member;

	if (event->kind == PIDTRACK_ORPHAN) {
		look_at_orphan(event);
		return;
	}
	member = member_of(event->process);
	if (!member || host.processes[index_of(member)] != event->process) {
		soak_note("host %u: %s of nobody", host.number,
			  pidtrack_event_name(event->kind));
		figures->doubled++;
		return;
	}
	if (event->kind == PIDTRACK_STOPPED)
		go_on(member);
	if (event->kind == PIDTRACK_STOPPED ||
	    event->kind == PIDTRACK_CONTINUED)
		return;
	figures->escalated += event->kind == PIDTRACK_ESCALATED;
	if (event->kind == PIDTRACK_STOP_TIMED_OUT)
		fail("stop", -ETIMEDOUT);
	if (event->kind == PIDTRACK_EXITED && member->exited) {
		soak_note("host %u: %u exited again", host.number, member->id);
		figures->doubled++;
	}
	member->exited = member->exited || event->kind == PIDTRACK_EXITED;
	look_at_status(member, event->status, event->source);
	if (event->flags & PIDTRACK_EVENT_LAST)
		told_last(member, event);
}

static void take_events(int timeout_ms)
{
	const struct pidtrack_event *event;
	int r;

	r = pidtrack_wait(host.tracker, timeout_ms, &event);
	for (uint32_t most = 1 + draw(40); r > 0 && most > 0; most--) {
		look_at(event);
		r = pidtrack_next(host.tracker, &event);
		if (r > 0 && most == 1)
			look_at(event);
	}
	if (r < 0)
		fail("next", r);
}

/* ---- launching ---- */

struct words {
	const char *argv[12];
	char texts[4][16];
	int n;
	int n_texts;
};

static void word(struct words *words, const char *text)
{
	words->argv[words->n++] = text;
	words->argv[words->n] = NULL;
}

static void number(struct words *words, uint32_t number)
{
	char *text = words->texts[words->n_texts++];

	snprintf(text, 16, "%u", number);
	word(words, text);
}

static void exit_word(struct words *words, struct member *member)
{
	uint32_t code = draw(256);

	word(words, "exit");
	number(words, code);
	member->will = (int32_t)code << 8;
}

static void sleep_word(struct words *words)
{
	if (draw(3) == 0)
		return;
	word(words, "sleep");
	number(words, draw(draw(10) ? 60 : 600));
}

static void words_of_its_own(struct words *words, struct member *member)
{
	static const int signals[] = { SIGKILL, SIGTERM, SIGHUP, SIGUSR1,
				       SIGPIPE };

	if (member->way == PAUSES)
		word(words, "stop");
	if (member->way == LITTERS)
		word(words, "fork-orphan");
	sleep_word(words);
	if (member->way != RAISES) {
		exit_word(words, member);
		return;
	}
	member->will = signals[draw(ARRAY_SIZE(signals))];
	word(words, "kill");
	number(words, (uint32_t)member->will);
}

static void words_of_ours(struct words *words, struct member *member)
{
	member->due_ms = soak_now_ms() + draw(1500);
	member->will = member->way == CLIMBED || draw(2) ? SIGKILL : SIGTERM;
	if (member->way == CATCHES) {
		word(words, "catch");
		word(words, "TERM");
		word(words, "pause");
		exit_word(words, member);
		return;
	}
	if (member->way >= GROUP)
		member->will = SIGKILL;
	if (member->way == GROUP || member->way == CGROUP)
		word(words, "fork-orphan");
	if (member->way == TREE) { /* the signal says that its child is there */
		word(words, "fork");
		word(words, "catch");
		word(words, "USR1");
	}
	word(words, "wait");
}

static int ask(struct member *member, struct pidtrack_spawn_options *options)
{
	char label[32], path[128];
	struct tag tag = { index_of(member), member->id };
	struct pidtrack_process *process;
	uint32_t stage;
	int r;

	label_text(member, label);
	options->label = label;
	options->payload = &tag;
	options->payload_size = sizeof(tag);
	if (member->kept)
		options->flags |= PIDTRACK_SPAWN_KEEP;
	if (member->recorded) {
		record_path(member, "", path);
		options->record = path;
		options->flags |= PIDTRACK_SPAWN_EXIT_RECORD;
	}
	if (member->way == GROUP || member->way == LITTERS)
		options->flags |= PIDTRACK_SPAWN_DETACHED;
	else if (!host.threaded && draw(4) == 0)
		options->flags |= PIDTRACK_SPAWN_BOUND;
	if (member->way == CLIMBED)
		options->signal_ignore = UINT64_C(1) << (SIGTERM - 1);
	r = pidtrack_spawn(host.tracker, options, &process, &stage);
	if (r < 0) {
		soak_note("host %u: launch at %s: %s", host.number,
			  pidtrack_stage_name(stage), strerror(-r));
		figures->failed++;
		return r;
	}
	own(member, process);
	member->pid = pidtrack_process_pid(process);
	return 0;
}

static int ask_in_cgroup(struct member *member,
			 struct pidtrack_spawn_options *options)
{
	char path[800];
	int r;

	if (!cgroup_path(member, path) || mkdir(path, 0755) < 0) {
		member->way = GROUP;
		return ask(member, options);
	}
	options->cgroup_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	options->flags |= PIDTRACK_SPAWN_INTO_CGROUP;
	r = ask(member, options);
	close(options->cgroup_fd);
	return r;
}

static void ask_for_stops(const struct member *member)
{
	int r = pidtrack_process_notify(host.processes[index_of(member)],
					1U << PIDTRACK_STOPPED |
						1U << PIDTRACK_CONTINUED);

	/* attached again it may have ended, and be stolen */
	if (r < 0 && r != -ESRCH && r != -ECHILD)
		fail("notify", r);
}

static void launch(void)
{
	struct member *member = member_new(LAUNCHED);
	struct words words = { .n = 1, .argv = { soak_shim() } };
	struct pidtrack_fd_map fds[] = {
		{ .child_fd = 0, .fd = PIDTRACK_FD_NULL },
		{ .child_fd = 1, .fd = PIDTRACK_FD_NULL },
	};
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = words.argv, .fds = fds,
				       .n_fds = ARRAY_SIZE(fds));
	int r;

	if (!member)
		return;
	member->way = draw(draw(2) ? PAUSES : WAYS);
	member->kept = soak->pins && draw(3) == 0;
	member->recorded = draw(3) == 0;
	if (member->way < FELLED) {
		words_of_its_own(&words, member);
	} else {
		words_of_ours(&words, member);
		fds[0].fd = HOST_GATE;
	}
	r = member->way == CGROUP ? ask_in_cgroup(member, &options) :
				    ask(member, &options);
	if (r < 0) {
		member->id = 0;
		return;
	}
	figures->launched++;
	if (member->way == PAUSES)
		ask_for_stops(member);
}

/* Of what cannot be executed nothing is left, which is looked at later. */
static void launch_nothing(void)
{
	struct member *member = member_new(LAUNCHED);
	const char *argv[] = { "/nonexistent", NULL };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv,
				       .flags = soak->pins ?
							PIDTRACK_SPAWN_KEEP :
							0);
	struct pidtrack_process *process;
	char label[32], path[128];
	uint32_t stage = 0;
	int r;

	if (!member)
		return;
	label_text(member, label);
	record_path(member, "", path);
	options.label = label;
	options.record = path;
	r = pidtrack_spawn(host.tracker, &options, &process, &stage);
	if (r != -ENOENT || stage != PIDTRACK_STAGE_EXEC)
		fail("launch of nothing", r);
	figures->refused++;
	member->id = 0;
}

/* Nobody is told any more. */
static void release(void)
{
	struct member *member = &mine->members[draw(MEMBERS)];
	struct pidtrack_process *process = host.processes[index_of(member)];

	if (!member->id || !process || member->kind != LAUNCHED ||
	    member->way > RAISES || member->recorded)
		return;
	pidtrack_process_free(process);
	note_in(mine->released, member);
	figures->released++;
	leave(member);
}

/* ---- strangers and children of its own ---- */

static int attach(struct member *member, pid_t pid, uint32_t flags)
{
	struct tag tag = { index_of(member), member->id };
	struct pidtrack_process *process;
	int r = pidtrack_attach(host.tracker, pid, 0, flags, &process);

	if (r < 0)
		return r;
	own(member, process);
	member->pid = pid;
	r = pidtrack_process_set_payload(process, &tag, sizeof(tag));
	if (r < 0)
		fail("payload", r);
	return 0;
}

static void attach_stranger(void)
{
	uint32_t peer = draw(STRANGERS);
	struct stranger *stranger = &soak->strangers[host.number][peer];
	struct member *member;
	int r;

	if (stranger->pid == 0 || stranger->attached)
		return;
	member = member_new(STRANGE);
	if (!member)
		return;
	member->peer = peer;
	member->will = stranger->will;
	member->way = stranger->waits ? FELLED : EXITS;
	member->due_ms = soak_now_ms() + draw(300);
	r = attach(member, stranger->pid, 0);
	if (r < 0) {
		fail("attach", r);
		member->id = 0;
		return;
	}
	stranger->attached = true;
	figures->attached++;
}

static struct kid *kid_new(void)
{
	for (int i = 0; i < KIDS; i++)
		if (mine->kids[i].pid == 0) {
			mine->kids[i] =
				(struct kid){ .thefts = mine->n_thefts,
					      .will = (int32_t)draw(256) << 8,
					      .image = figures->executed };
			return &mine->kids[i];
		}
	return NULL;
}

/* One that ends without SIGCHLD: it may execute nothing. */
static void clone_kid(struct kid *kid)
{
	int pid = (int)syscall(SYS_clone, 0, 0, 0, 0, 0);

	if (pid == 0) {
		syscall(SYS_exit_group, kid->will >> 8);
		__builtin_trap();
	}
	kid->cloned = true;
	kid->due_ms = soak_now_ms() + draw(4 * ORPHAN_MS);
	kid->pid = pid > 0 ? pid : 0;
}

static void start_kid(struct kid *kid)
{
	char ms[16], code[16];
	const char *words[] = { "sleep", ms, "exit", code, NULL };

	snprintf(ms, sizeof(ms), "%u", draw(100));
	snprintf(code, sizeof(code), "%d", kid->will >> 8);
	kid->pid = soak_start(words);
}

static void observe(struct kid *kid)
{
	struct member *member = member_new(OBSERVED);
	int r;

	if (!member)
		return;
	member->peer = (uint32_t)(kid - mine->kids);
	member->will = kid->will;
	r = attach(member, kid->pid, PIDTRACK_ATTACH_OBSERVE);
	if (r < 0) {
		fail("observe", r);
		member->id = 0;
		return;
	}
	kid->observed = member->id;
	figures->attached++;
}

static void make_kid(void)
{
	struct kid *kid = kid_new();

	if (!kid)
		return;
	pthread_mutex_lock(&host.lock);
	/* any other may be collected, or leave nothing to wait for */
	if (mine->policy == PIDTRACK_ORPHANS_COLLECT || mine->deaf ||
	    draw(4) == 0)
		clone_kid(kid);
	else
		start_kid(kid);
	if (kid->pid && !kid->cloned && draw(2))
		observe(kid);
	pthread_mutex_unlock(&host.lock);
	figures->kids++;
}

/* Whether it is waited for by us alone. */
static void wait_for_kid(struct kid *kid)
{
	const struct member *member = &mine->members[0];
	int status = -1, r;

	while (kid->observed && member < &mine->members[MEMBERS] &&
	       member->id != kid->observed)
		member++;
	if (kid->observed && member < &mine->members[MEMBERS] &&
	    !member->exited)
		return;
	pthread_mutex_lock(&host.lock);
	r = waitpid(kid->pid, &status,
		    WNOHANG | (kid->cloned ? (int)__WCLONE : 0));
	pthread_mutex_unlock(&host.lock);
	if (r == 0)
		return;
	if (r < 0 &&
	    (kid->cloned || !is_stolen(kid->pid, kid->thefts, &status))) {
		soak_note("host %u: a child is gone: %d", host.number,
			  kid->pid);
		figures->foreign++;
	} else if (status != kid->will) {
		soak_note("host %u: a child ended with %#x, not %#x",
			  host.number, (unsigned int)status,
			  (unsigned int)kid->will);
		figures->wrong++;
	}
	kid->pid = 0;
}

static bool kids_are_left(void)
{
	int64_t now_ms = soak_now_ms();
	bool left = false;

	for (int i = 0; i < KIDS; i++) {
		struct kid *kid = &mine->kids[i];

		if (kid->pid && (host.draining || kid->due_ms <= now_ms))
			wait_for_kid(kid);
		left = left || (kid->pid && !kid->observed);
	}
	return left;
}

/*
 * Whether there is one that could be collected, or make no zombie: by the next
 * image of this host, where SIGCHLD is ignored as it was, none would.
 */
static bool kids_are_in_danger(void)
{
	bool any = false;

	kids_are_left();
	for (int i = 0; i < KIDS; i++)
		any = any || (mine->kids[i].pid && !mine->kids[i].observed &&
			      (!mine->kids[i].cloned || mine->deaf));
	return any;
}

/* ---- ends of the host's doing ---- */

/* Whether it catches @signal by now. */
static bool catches(const struct member *member, int signal)
{
	char path[64], line[256];
	unsigned long long caught = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", member->pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "SigCgt: %llx", &caught) == 1)
			break;
	if (file)
		fclose(file);
	return caught >> (signal - 1) & 1;
}

static bool is_ready(const struct member *member)
{
	if (member->way == CATCHES)
		return catches(member, SIGTERM);
	return member->way != TREE || catches(member, SIGUSR1);
}

static int stop(struct member *member)
{
	const struct pidtrack_stop_step steps[] = {
		{ SIGTERM, member->way == CLIMBED ? 30 : 600000 },
		{ SIGKILL, 600000 },
	};
	bool kills = member->will == SIGKILL && member->way != CLIMBED;
	struct pidtrack_stop_options options =
		PIDTRACK_STOP_OPTIONS(.steps = &steps[kills],
				      .n_steps = kills ? 1 : 2);
	char path[800];
	int r;

	if (member->way == GROUP)
		options.flags = PIDTRACK_STOP_GROUP;
	if (member->way == TREE)
		options.flags = PIDTRACK_STOP_TREE;
	if (member->way == CGROUP && cgroup_path(member, path)) {
		options.flags = PIDTRACK_STOP_CGROUP;
		options.cgroup_fd =
			open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	r = pidtrack_process_stop(host.processes[index_of(member)], &options);
	if (options.flags & PIDTRACK_STOP_CGROUP)
		close(options.cgroup_fd);
	return r;
}

static void end(struct member *member)
{
	struct pidtrack_process *process = host.processes[index_of(member)];
	int r;

	if (!is_ready(member))
		return;
	if (member->way == FELLED && draw(2))
		r = pidtrack_process_signal(process, member->will);
	else
		r = stop(member);
	/*
	 * It may have ended by the ladder before; a zombie is listed in no
	 * cgroup, and before Linux 6.13 nothing else tells which it was in.
	 */
	if (r < 0 &&
	    !(r == -ESRCH && (member->exited || member->again ||
			      (member->way == CGROUP && !soak->tells))))
		fail("stop", r);
	member->asked = true;
	figures->stopped++;
}

static void end_who_is_due(void)
{
	int64_t now_ms = soak_now_ms();

	for (uint32_t i = 0; i < MEMBERS; i++) {
		struct member *member = &mine->members[i];

		if (member->id && host.processes[i] && !member->asked &&
		    member->way >= FELLED &&
		    (host.draining || member->due_ms <= now_ms))
			end(member);
	}
}

/* One that lives is never told to be anything else. */
static void look_at_one(void)
{
	struct member *member = &mine->members[draw(MEMBERS)];
	struct pidtrack_comparison comparison = { 0 };
	struct pidtrack_record *record;
	char path[128];
	int r;

	if (!member->id || !member->recorded || member->asked ||
	    member->again || member->way < FELLED)
		return;
	record_path(member, "", path);
	r = pidtrack_record_read(path, &record);
	if (r < 0) {
		fail(path, r);
		return;
	}
	r = pidtrack_verify(host.tracker, record, &comparison,
			    sizeof(comparison));
	if (r < 0 || comparison.verdict != PIDTRACK_VERDICT_SAME) {
		soak_note("host %u: %u lives, and is %s", host.number,
			  member->id,
			  pidtrack_verdict_name(comparison.verdict));
		figures->wrong++;
	}
	pidtrack_record_free(record);
}

/* ---- the tracker, again and again ---- */

/*
 * Who leaves a zombie although SIGCHLD is ignored: it was cloned without that.
 * But once its parent has executed a program, the kernel sends SIGCHLD,
 * whatever it was cloned with, and there is none.
 */
static bool leaves_a_zombie(const struct kid *kid)
{
	return kid->cloned && kid->image == figures->executed;
}

/* Whether children are not to become zombies, for the life of a tracker. */
static void ignore_children(bool ignore)
{
	for (int i = 0; i < KIDS; i++)
		ignore = ignore && (mine->kids[i].pid == 0 ||
				    leaves_a_zombie(&mine->kids[i]));
	mine->was_deaf = mine->deaf;
	mine->deaf = ignore;
	signal(SIGCHLD, ignore ? SIG_IGN : SIG_DFL);
}

static void make_tracker(uint32_t policy)
{
	char pins[128];
	struct pidtrack_options options =
		PIDTRACK_OPTIONS(.orphans = policy,
				 .orphan_time_ms = ORPHAN_MS);
	int r;

	mine->policy = policy;
	host.threaded = draw(3) == 0;
	options.flags = host.threaded ? PIDTRACK_THREAD : 0;
	if (draw(2) == 0)
		options.flags |= PIDTRACK_PARK;
	path_in_room("pins", pins);
	if (soak->pins)
		options.pins = pins;
	r = pidtrack_new(&options, &host.tracker);
	if (r < 0)
		errx(1, "host %u: no tracker: %s", host.number, strerror(-r));
	host.renewal_ms = soak_now_ms() + 500 + draw(RENEWAL_MS);
}

static int32_t allocated(void)
{
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
	return (int32_t)mallinfo2().uordblks;
#else
	return 0;
#endif
}

static void note_most(_Atomic int32_t *most, int32_t *first, int32_t now)
{
	if (*first == 0)
		*first = now;
	if (now - *first > *most)
		*most = now - *first;
}

/* The tables of a tracker grow as it needs them; without one there are none. */
static void end_tracker(void)
{
	if (pidtrack_free(host.tracker))
		fail("free", -EBUSY);
	note_most(&figures->bytes, &host.bytes, allocated());
}

static uint32_t draw_policy(void)
{
	static const uint32_t policies[] = { PIDTRACK_ORPHANS_COLLECT,
					     PIDTRACK_ORPHANS_ASK,
					     PIDTRACK_ORPHANS_COLLECT,
					     PIDTRACK_ORPHANS_DESCENDANTS };

	return policies[draw(ARRAY_SIZE(policies))];
}

/* Its ladder, if any, is begun anew. */
static void take_up(struct member *member, struct pidtrack_process *process)
{
	own(member, process);
	member->again = member->again || member->asked;
	member->asked = false;
	member->exited = false;
	if (member->kind == LAUNCHED && member->way == PAUSES)
		ask_for_stops(member);
}

/* Nothing is there to be told of: whose fault is it? */
static void miss(struct member *member, bool was_deaf)
{
	int status;

	if (member->kind == LAUNCHED && !member->exited && !was_deaf &&
	    !is_stolen(member->pid, member->thefts, &status)) {
		soak_note("host %u: %u is lost (way %d)", host.number,
			  member->id, (int)member->way);
		figures->lost++;
	}
	if (member->recorded)
		remove_files(member);
	figures->unknown++;
	leave(member);
}

static void take_up_pins(void)
{
	const struct pidtrack_recovered *recovered;
	struct pidtrack_recovery *recovery;
	int r;

	if (!soak->pins)
		return;
	r = pidtrack_recover(host.tracker, &recovery);
	if (r < 0) {
		fail("recover", r);
		return;
	}
	while (pidtrack_recovery_next(recovery, &recovered) > 0) {
		struct member *member = member_of_label(recovered->label);

		if (!recovered->process) {
			fail(recovered->name, recovered->error);
		} else if (!member && is_released(recovered->label)) {
			/* released, which lasts no longer than a tracker */
			pidtrack_process_free(recovered->process);
		} else if (!member) {
			soak_note("host %u: %s was told, and is kept",
				  host.number, recovered->name);
			figures->doubled++;
			pidtrack_process_free(recovered->process);
		} else {
			take_up(member, recovered->process);
			figures->pins++;
		}
	}
	pidtrack_recovery_free(recovery);
}

static int attach_record(struct member *member)
{
	struct pidtrack_process *process;
	struct pidtrack_record *record;
	char path[128];
	int r;

	record_path(member, "", path);
	r = pidtrack_record_read(path, &record);
	if (r < 0)
		return r;
	r = pidtrack_attach_record(host.tracker, record, 0, &process, NULL, 0);
	pidtrack_record_free(record);
	if (r >= 0)
		take_up(member, process);
	return r;
}

/* By a number that may be another's, but for what is known of it. */
static int attach_again(struct member *member)
{
	struct pidtrack_comparison comparison = { 0 };
	struct pidtrack_process *process;
	int r = attach(member, member->pid,
		       member->kind == OBSERVED ? PIDTRACK_ATTACH_OBSERVE : 0);

	if (r < 0)
		return r;
	process = host.processes[index_of(member)];
	r = pidtrack_process_compare(process, member->fingerprint, &comparison,
				     sizeof(comparison));
	if (r < 0 || (comparison.verdict != PIDTRACK_VERDICT_SAME &&
		      comparison.verdict != PIDTRACK_VERDICT_EXITED)) {
		host.processes[index_of(member)] = NULL;
		return -ESTALE;
	}
	take_up(member, process);
	return 0;
}

/* Its end is to be recorded again; not of one that was reaped before. */
static void record_again(struct member *member)
{
	struct pidtrack_process *process = host.processes[index_of(member)];
	char path[128];
	struct pidtrack_record_options options =
		PIDTRACK_RECORD_OPTIONS(.flags = PIDTRACK_RECORD_WITH_EXIT,
					.path = path);
	int r;

	if (pidtrack_process_pid(process) == 0) {
		remove_files(member);
		member->recorded = false;
		return;
	}
	record_path(member, "", path);
	r = pidtrack_process_record(process, &options);
	if (r < 0)
		fail("record", r);
}

static void take_up_others(bool was_deaf)
{
	for (uint32_t i = 0; i < MEMBERS; i++) {
		struct member *member = &mine->members[i];
		int r;

		if (!member->id)
			continue;
		if (host.processes[i])
			r = 0;
		else if (member->recorded)
			r = attach_record(member);
		else
			r = attach_again(member);
		if (r == -ESRCH || r == -ESTALE) {
			miss(member, was_deaf);
			continue;
		}
		if (r < 0)
			fail("attach again", r);
		else if (member->recorded)
			record_again(member);
	}
}

static void settle_kids(void)
{
	int64_t late_ms = soak_now_ms() + soak_patience_ms();

	while (kids_are_in_danger() && soak_now_ms() < late_ms)
		soak_sleep_ms(1);
}

static void count_orphans(void)
{
	struct pidtrack_statistics statistics = { 0 };

	pidtrack_statistics(host.tracker, &statistics, sizeof(statistics));
	figures->orphans += (uint32_t)statistics.orphans;
}

/* As a host does that begins again, but that it still is their parent. */
static void renew(uint32_t policy)
{
	bool was_deaf = mine->deaf || mine->was_deaf;

	end_thief();
	settle_kids();
	count_orphans();
	for (uint32_t i = 0; i < MEMBERS; i++)
		if (mine->members[i].id &&
		    pidtrack_process_fingerprint(host.processes[i],
						 mine->members[i].fingerprint,
						 PIDTRACK_FINGERPRINT_MAX) < 0)
			mine->members[i].fingerprint[0] = '\0';
	end_tracker();
	memset(host.processes, 0, sizeof(host.processes));
	host.done = NULL;
	make_tracker(policy);
	take_up_pins();
	take_up_others(was_deaf);
	ignore_children(draw(6) == 0);
	figures->renewed++;
	start_thief();
}

static void resume(void)
{
	const struct pidtrack_recovered *recovered;
	struct pidtrack_recovery *recovery;
	int r = pidtrack_handoff_resume(host.tracker, mine->handoff, &recovery);

	if (r < 0)
		errx(1, "host %u: resume: %s", host.number, strerror(-r));
	mine->handoff = -1;
	while (pidtrack_recovery_next(recovery, &recovered) > 0) {
		struct member *member = member_of_tag(recovered->payload,
						      recovered->payload_size);
		int status;

		if (!recovered->process)
			fail("resume", recovered->error);
		else if (member)
			own(member, recovered->process);
		/* told before, and nothing more will come of it */
		else if (pidtrack_process_status(recovered->process, &status) !=
			 -EAGAIN)
			pidtrack_process_free(recovered->process);
		else
			fail("resume of nobody", -ESRCH);
	}
	pidtrack_recovery_free(recovery);
	for (uint32_t i = 0; i < MEMBERS; i++)
		if (mine->members[i].id && !host.processes[i])
			miss(&mine->members[i], false);
}

/* Executes this program, or goes on as if nothing had been. */
static void hand_over(bool in_earnest)
{
	char text[16];
	int r;

	end_thief();
	settle_kids();
	count_orphans();
	r = pidtrack_handoff_prepare(host.tracker, &mine->handoff);
	if (r == -EINPROGRESS) {
		host.renewal_ms = soak_now_ms() + 50;
	} else if (r < 0) {
		fail("prepare", r);
	} else if (in_earnest) {
		figures->executed++;
		snprintf(text, sizeof(text), "%u", host.number);
		execl("/proc/self/exe", soak_self, "host", text, (char *)NULL);
		err(1, "exec");
	} else {
		r = pidtrack_handoff_cancel(host.tracker);
		if (r < 0)
			fail("cancel", r);
		mine->handoff = -1;
		figures->cancelled++;
		host.renewal_ms = soak_now_ms() + draw(RENEWAL_MS);
	}
	start_thief();
}

/* ---- looking at what is left ---- */

static int count_names(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *name;
	int n = 0;

	/* a directory of pins has its lock */
	while (directory && (name = readdir(directory)))
		n += name->d_name[0] != '.' ||
		     (!strncmp(name->d_name, ".pidtrack-", 10) &&
		      strcmp(name->d_name, ".pidtrack-pins") != 0);
	if (directory)
		closedir(directory);
	return n;
}

static int count_mounts(void)
{
	char line[4096], room[128];
	FILE *file = fopen("/proc/self/mountinfo", "re");
	int n = 0;

	path_in_room("pins", room);
	while (file && fgets(line, sizeof(line), file))
		n += strstr(line, room) != NULL;
	if (file)
		fclose(file);
	return n;
}

static int number_of(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	size_t length = strlen(name);
	char line[256];
	int n = -1;

	while (file && n < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, length))
			n = atoi(line + length);
	if (file)
		fclose(file);
	return n;
}

static int count_fds(void)
{
	return count_names("/proc/self/fd") - 1;
}

static int count_threads(void)
{
	return count_names("/proc/self/task");
}

/* Children of ours, zombies too. */
static int count_children(void)
{
	DIR *directory = opendir("/proc");
	struct dirent *name;
	char path[300];
	int n = 0;

	while (directory && (name = readdir(directory))) {
		if (name->d_name[0] < '0' || name->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/status", name->d_name);
		n += number_of(path, "PPid:\t") == getpid();
	}
	if (directory)
		closedir(directory);
	return n;
}

static void remove_cgroups(void)
{
	DIR *directory = soak->cgroup[0] ? opendir(soak->cgroup) : NULL;
	struct dirent *name;

	while (directory && (name = readdir(directory)))
		if (name->d_name[0] == (char)('0' + host.number) &&
		    name->d_name[1] == '-')
			unlinkat(dirfd(directory), name->d_name, AT_REMOVEDIR);
	if (directory)
		closedir(directory);
}

static int count_cgroups(void)
{
	DIR *directory = soak->cgroup[0] ? opendir(soak->cgroup) : NULL;
	struct dirent *name;
	int n = 0;

	while (directory && (name = readdir(directory)))
		n += name->d_name[0] == (char)('0' + host.number) &&
		     name->d_name[1] == '-';
	if (directory)
		closedir(directory);
	return n;
}

/* All that goes by and by: what of it is still there, in words; or NULL. */
static const char *what_is_left(void)
{
	static char text[64];
	char records[128], pins[128];

	for (uint32_t i = 0; i < MEMBERS; i++)
		if (mine->members[i].id) {
			snprintf(text, sizeof(text), "%u, way %d, kind %d",
				 mine->members[i].id, (int)mine->members[i].way,
				 (int)mine->members[i].kind);
			return text;
		}
	if (kids_are_left())
		return "a child of its own";
	if (mine->policy != PIDTRACK_ORPHANS_DESCENDANTS &&
	    count_children() != 1)
		return "children";
	path_in_room("records", records);
	if (count_names(records))
		return "records";
	path_in_room("pins", pins);
	if (count_names(pins))
		return "pins";
	if (soak->pins && count_mounts() != 1)
		return "mounts";
	remove_cgroups();
	if (count_cgroups())
		return "cgroups";
	if (count_threads() > THREADS + host.stealing + host.threaded)
		return "threads";
	return NULL;
}

static void look_at_self(void)
{
	uint32_t fds = (uint32_t)count_fds();

	if (figures->fds[0] == 0 || fds < figures->fds[0])
		figures->fds[0] = fds;
	if (fds > figures->fds[1])
		figures->fds[1] = fds;
	note_most(&figures->resident_kb, &host.resident_kb,
		  number_of("/proc/self/status", "RssAnon:"));
	if (mine->bystander && waitpid(mine->bystander, NULL, WNOHANG)) {
		figures->signalled++;
		mine->bystander = 0;
	}
	figures->quiets++;
}

/* Has all end, and looks what is left. */
static void be_quiet(void)
{
	int64_t late_ms = soak_now_ms() + soak_patience_ms();
	const char *left;

	host.draining = true;
	while ((left = what_is_left()) && soak_now_ms() < late_ms) {
		end_who_is_due();
		take_events(20);
	}
	host.draining = false;
	pidtrack_process_free(host.done);
	host.done = NULL;
	take_events(0);
	if (left) {
		soak_note("host %u: left: %s; policy %u, %d children",
			  host.number, left, mine->policy, count_children());
		figures->left++;
	}
	look_at_self();
	mine->quiet_ms = soak_now_ms() + soak->round_ms;
}

/* ---- its life ---- */

static void act(void)
{
	switch (draw(16)) {
	case 0:
		attach_stranger();
		break;
	case 1:
		make_kid();
		break;
	case 2:
		release();
		break;
	case 3:
		if (draw(4) == 0)
			launch_nothing();
		break;
	case 4:
		look_at_one();
		break;
	default:
		launch();
	}
}

/* On a busy machine not before there was everything, if that is at all. */
static bool is_over(void)
{
	int64_t late_ms = soak_now_ms() - soak->end_ms;

	return late_ms >= soak_patience_ms() ||
	       (late_ms >= 0 && soak_had_everything());
}

static void live(void)
{
	while (!is_over()) {
		for (uint32_t i = draw(6); i > 0; i--)
			act();
		end_who_is_due();
		kids_are_left();
		take_events((int)draw(30));
		if (soak_now_ms() >= mine->quiet_ms)
			be_quiet();
		if (soak_now_ms() < host.renewal_ms)
			continue;
		if (host.number == 0 && draw(3))
			renew(draw_policy());
		else
			hand_over(host.number != 0 && draw(5));
	}
}

static void begin(void)
{
	char path[128];
	static const char *const waits[] = { "wait", NULL };

	path_in_room("records", path);
	if (mkdir(path, 0700) < 0)
		err(1, "%s", path);
	mine->bystander = soak_start(waits);
	make_tracker(PIDTRACK_ORPHANS_COLLECT);
}

static int finish(void)
{
	renew(PIDTRACK_ORPHANS_COLLECT);
	ignore_children(false);
	be_quiet();
	end_thief();
	count_orphans();
	end_tracker();
	if (mine->bystander) {
		kill(mine->bystander, SIGKILL);
		waitpid(mine->bystander, NULL, 0);
	}
	if (waitpid(-1, NULL, WNOHANG | __WALL) >= 0 || errno != ECHILD) {
		soak_note("host %u: a child is left", host.number);
		figures->left++;
	}
	return 0;
}

int soak_host(uint32_t number)
{
	host.number = number;
	mine = &soak->hosts[number];
	figures = &mine->figures;
	mallopt(M_ARENA_MAX, 1);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	host.bytes = allocated();
	if (mine->handoff < 0) {
		begin();
	} else {
		make_tracker(draw_policy());
		resume();
		ignore_children(draw(6) == 0);
	}
	start_thief();
	live();
	return finish();
}
