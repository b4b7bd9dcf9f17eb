/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What a test executes in its place: it resumes the handoff of descriptor FD,
 * says what it was told, one line each, and ends when it has told of all.
 *
 *	heir FD [WORD...]
 *
 *	thread				its tracker has one
 *	again				hands over to itself first, once
 *	recover				what is kept, and that is nobody else
 *	descriptors			tries with none first, then with one,
 *... allocations			the same; the static one only evidence
 *says that, too
 *	readable			says if its tracker is, before it asks
 *
 * with the pins of PIDTRACK_TEST_PINS, and the store of PIDTRACK_TEST_STORE, if
 * they are set.
 *
 *	short -ERRNO			of all trials that failed
 *	resumed -ERRNO			and nothing else, if that failed
 *	recovered LABEL VERDICT EVIDENCE ERROR STATE
 *	evidence NAME...		of the process above, beside its pidfd
 *	payload BYTES			of the process above
 *	status LABEL STATUS SOURCE	likewise, if it was told before
 *	event LABEL KIND STATUS SOURCE FLAGS
 *	readable
 *	left FDS CHILDREN		beside 0, 1 and 2
 */
#include <errno.h>
#include <fcntl.h>
#include <pidtrack.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL_MAX 1024

static struct pidtrack_process *all[ALL_MAX];
static int n;
static bool says_evidence;

/* ---- without room ---- */

/* Of the library, until they fail; -1: they do not. */
static int allocations = -1;

#ifdef HEIR_WRAPS

static bool is_out(void)
{
	if (allocations > 0)
		allocations--;
	return allocations == 0;
}

#define WRAP(type, name, parameters, arguments)         \
	type __real_##name parameters;                  \
	type __wrap_##name parameters;                  \
	type __wrap_##name parameters                   \
	{                                               \
		if (!is_out())                          \
			return __real_##name arguments; \
		errno = ENOMEM;                         \
		return NULL;                            \
	}

WRAP(void *, malloc, (size_t size), (size))
WRAP(void *, calloc, (size_t count, size_t size), (count, size))
WRAP(void *, reallocarray, (void *at, size_t count, size_t size),
     (at, count, size))
WRAP(char *, strdup, (const char *text), (text))
WRAP(char *, strndup, (const char *text, size_t size), (text, size))

#endif

static int count_handed(void)
{
	int fds = 0;

	for (int fd = 3; fd < 1024; fd++)
		fds += fcntl(fd, F_GETFD) == 0; /* not close-on-exec */
	return fds;
}

static void allow_allocations(int room)
{
	allocations = room < 0 ? -1 : room + 1;
}

static void allow_descriptors(int room)
{
	static struct rlimit usual;
	struct rlimit limit;
	int fd = 0;

	if (usual.rlim_cur == 0)
		getrlimit(RLIMIT_NOFILE, &usual);
	limit = usual;
	for (; room >= 0; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && room-- == 0)
			limit.rlim_cur = (rlim_t)fd;
	}
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Whether nothing was taken over. */
static bool is_as_before(struct pidtrack *tracker, int handed)
{
	struct pidtrack_statistics statistics = { 0 };

	pidtrack_statistics(tracker, &statistics, sizeof(statistics));
	return statistics.tracked == 0 && count_handed() == handed;
}

static int resume_short(struct pidtrack *tracker, int fd, int error,
			void (*allow)(int room),
			struct pidtrack_recovery **ret_recovery)
{
	const int handed = count_handed();
	int room = 0, r;

	for (;; room++) {
		allow(room);
		r = pidtrack_handoff_resume(tracker, fd, ret_recovery);
		allow(-1);
		if (r != error)
			break;
		if (!is_as_before(tracker, handed))
			printf("changed with %d\n", room);
	}
	if (room > 0)
		printf("short %d\n", error);
	return r;
}

/* ---- what it says ---- */

static const char *label_of(const char *label)
{
	return label ? label : "-";
}

static void say_recovered(const struct pidtrack_recovered *recovered)
{
	const struct pidtrack_comparison *comparison = recovered->comparison;
	struct pidtrack_process *process = recovered->process;

	printf("recovered %s %s %s %d %s\n", label_of(recovered->label),
	       pidtrack_verdict_name(comparison->verdict),
	       comparison->evidence & PIDTRACK_EVIDENCE_PIN ? "pin" : "other",
	       recovered->error,
	       process ? pidtrack_state_name(
				 (uint32_t)pidtrack_process_state(process)) :
			 "-");
}

static void say_evidence(uint32_t evidence)
{
	static const char *const names[] = { "boot", "pid", "start", "inode",
					     "exe" };

	printf("evidence");
	for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (evidence & UINT32_C(1) << i)
			printf(" %s", names[i]);
	}
	printf("\n");
}

/* Whether nothing will be told of it any more. */
static bool is_over(struct pidtrack_process *process)
{
	int status, r = pidtrack_process_status(process, &status);

	if (r > 0)
		printf("status %s %#x %s\n",
		       label_of(pidtrack_process_label(process)), status,
		       pidtrack_source_name((uint32_t)r));
	return pidtrack_process_state(process) == PIDTRACK_STATE_REAPED;
}

static void say_payload(const struct pidtrack_recovered *recovered)
{
	size_t size;
	const char *payload =
		pidtrack_process_payload(recovered->process, &size);

	if (size > 0 && size == recovered->payload_size &&
	    !memcmp(payload, recovered->payload, size))
		printf("payload %.*s\n", (int)size, payload);
}

static void take_recovered(struct pidtrack_recovery *recovery)
{
	const struct pidtrack_recovered *recovered;

	while (pidtrack_recovery_next(recovery, &recovered) > 0) {
		say_recovered(recovered);
		if (says_evidence)
			say_evidence(recovered->comparison->evidence);
		if (recovered->process)
			say_payload(recovered);
		if (recovered->process && !is_over(recovered->process))
			all[n++] = recovered->process;
	}
	pidtrack_recovery_free(recovery);
	fflush(stdout);
}

static void hand_over(struct pidtrack *tracker, char **argv)
{
	char number[16];
	int fd, r;

	r = pidtrack_handoff_prepare(tracker, &fd);
	if (r < 0) {
		printf("prepared %d\n", r);
		exit(1);
	}
	snprintf(number, sizeof(number), "%d", fd);
	execl("/proc/self/exe", argv[0], number, (char *)NULL);
	exit(1);
}

static void take_events(struct pidtrack *tracker)
{
	const struct pidtrack_event *event;
	int left = n, r = 0;

	while (left > 0 && (r = pidtrack_wait(tracker, 20000, &event)) > 0) {
		printf("event %s %s %#x %s%s\n",
		       label_of(pidtrack_process_label(event->process)),
		       pidtrack_event_name(event->kind),
		       (unsigned int)event->status,
		       pidtrack_source_name(event->source),
		       event->flags & PIDTRACK_EVENT_LAST ? " last" : "");
		fflush(stdout);
		left -= event->flags & PIDTRACK_EVENT_LAST ? 1 : 0;
	}
	if (left > 0)
		printf("missing %d %d\n", left, r);
	pidtrack_next(tracker, &event);
}

static void say_readable(const struct pidtrack *tracker)
{
	struct pollfd readable = {
		.fd = pidtrack_fd(tracker),
		.events = POLLIN,
	};

	if (poll(&readable, 1, 0) > 0)
		printf("readable\n");
}

static void say_left(void)
{
	int fds = 0, children = 0;
	pid_t pid;

	for (int fd = 3; fd < 1024; fd++)
		fds += fcntl(fd, F_GETFD) >= 0;
	do {
		pid = waitpid(-1, NULL, WNOHANG);
		children += pid >= 0;
	} while (pid > 0);
	printf("left %d %d\n", fds, children);
}

static bool is_asked(char **argv, const char *word)
{
	while (*++argv) {
		if (!strcmp(*argv, word))
			return true;
	}
	return false;
}

static int resume(struct pidtrack *tracker, char **argv,
		  struct pidtrack_recovery **ret_recovery)
{
	const int fd = atoi(argv[1]);

	if (is_asked(argv, "descriptors"))
		return resume_short(tracker, fd, -EMFILE, allow_descriptors,
				    ret_recovery);
	if (is_asked(argv, "allocations"))
		return resume_short(tracker, fd, -ENOMEM, allow_allocations,
				    ret_recovery);
	return pidtrack_handoff_resume(tracker, fd, ret_recovery);
}

int main(int argc, char **argv)
{
	struct pidtrack_options options =
		PIDTRACK_OPTIONS(.pins = getenv("PIDTRACK_TEST_PINS"));
	struct pidtrack_recovery *recovery, *kept;
	const struct pidtrack_recovered *recovered;
	struct pidtrack *tracker;
	int r;

	if (argc < 2)
		return 1;
	says_evidence = is_asked(argv, "evidence");
	options.store = getenv("PIDTRACK_TEST_STORE");
	options.flags = is_asked(argv, "thread") ? PIDTRACK_THREAD : 0;
	if (pidtrack_new(&options, &tracker) < 0)
		return 1;
	r = resume(tracker, argv, &recovery);
	if (r < 0) {
		printf("resumed %d\n", r);
		return 1;
	}
	if (is_asked(argv, "again")) {
		pidtrack_recovery_free(recovery);
		hand_over(tracker, argv);
	}
	if (is_asked(argv, "recover")) {
		if (pidtrack_recover(tracker, &kept) < 0 ||
		    pidtrack_recovery_next(kept, &recovered) != 0)
			return 1;
		pidtrack_recovery_free(kept);
	}
	take_recovered(recovery);
	if (is_asked(argv, "readable"))
		say_readable(tracker);
	take_events(tracker);
	pidtrack_free(tracker);
	say_left();
	fflush(stdout);
	if (access("/proc/self", F_OK) < 0)
		_exit(0); /* LeakSanitizer wants /proc where it ends */
	return 0;
}
