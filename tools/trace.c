/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "command.h"
#include "complain.h"
#include "owned.h"

/* To viewers watch is one process and each life a thread of it: numbers of real
 * processes may come twice. */
#define PROCESS 1
#define RECORDS 1 /* the row of what is of no life */

static struct trace *trace_of(struct listener *listener)
{
	return (struct trace *)listener; /* its first member */
}

static uint64_t row_of(const struct target *target)
{
	return RECORDS + target->serial;
}

static uint64_t microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- writing ---- */

static int fail(struct trace *trace, int error)
{
	complain("cannot write the trace '%s': %s", trace->path,
		 strerror(-error));
	trace->failed = true;
	return EXIT_FAILED;
}

static int write_all(int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t written = write(fd, bytes, n);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			bytes += written;
			n -= (size_t)written;
		}
	}
	return 0;
}

/* What is written at once is whole events, so a killed watch leaves no half. */
static int write_batch(struct trace *trace)
{
	int r;

	if (!trace->batch)
		return 0;
	r = fclose(trace->batch) == 0 ? 0 : -ENOMEM;
	trace->batch = NULL;
	if (r == 0 && !trace->failed)
		r = write_all(trace->fd, trace->text, trace->size);
	free(trace->text);
	trace->text = NULL;
	return r < 0 ? fail(trace, r) : 0;
}

/* Where the next event goes; NULL: nowhere. */
static FILE *batch(struct trace *trace)
{
	if (!trace->batch && !trace->failed) {
		trace->batch = open_memstream(&trace->text, &trace->size);
		if (!trace->batch)
			fail(trace, -ENOMEM);
	}
	return trace->batch;
}

/* ---- events ---- */

/* Begins an event on a line of its own; end_event() is wanted if it is true. */
static bool begin_event(struct trace *trace, struct json *json,
			const char *name, const char *phase, uint64_t row)
{
	FILE *to = batch(trace);

	if (!to)
		return false;
	(void)fputs(",\n", to);
	json_begin_in(json, to);
	json_string(json, "name", name);
	json_string(json, "ph", phase);
	if (*phase != 'M')
		json_number(json, "ts", microseconds());
	json_number(json, "pid", PROCESS);
	json_number(json, "tid", row);
	if (*phase == 'i')
		json_string(json, "s", "t");
	json_object_begin(json, "args");
	return true;
}

static void end_event(struct json *json)
{
	json_object_end(json);
	json_close(json);
}

static void name_row(struct trace *trace, uint64_t row, const char *name)
{
	struct json json;

	if (!begin_event(trace, &json, "thread_name", "M", row))
		return;
	json_string(&json, "name", name);
	end_event(&json);
	/* in the order in which they came */
	if (!begin_event(trace, &json, "thread_sort_index", "M", row))
		return;
	json_number(&json, "sort_index", row);
	end_event(&json);
}

static const char *name_of(const struct target *target)
{
	return *target->label ? target->label : target->name;
}

static int begin_life(struct listener *listener, const struct target *target)
{
	struct trace *trace = trace_of(listener);
	struct json json;

	name_row(trace, row_of(target), name_of(target));
	if (!begin_event(trace, &json, name_of(target), "B", row_of(target)))
		return 0;
	target_json_names(target, &json);
	json_string(&json, "fingerprint",
		    *target->fingerprint ? target->fingerprint : NULL);
	end_event(&json);
	return 0;
}

static void tell_event(struct listener *listener, const struct target *target)
{
	struct trace *trace = trace_of(listener);
	uint64_t row = row_of(target);
	struct json json;

	if (!begin_event(trace, &json, pidtrack_event_name(target->event), "i",
			 row))
		return;
	if (target_tells_status(target))
		ending_json(&target->ending, &json);
	end_event(&json);
	if (!target->ended ||
	    !begin_event(trace, &json, name_of(target), "E", row))
		return;
	ending_json(&target->ending, &json);
	end_event(&json);
}

static void tell_absence(struct listener *listener, const struct target *target,
			 const struct absence *absence)
{
	struct json json;

	if (!begin_event(trace_of(listener), &json,
			 absence->record ? "verified" : "unreadable", "i",
			 RECORDS))
		return;
	target_json_names(target, &json);
	if (absence->comparison && absence->comparison->verdict) {
		json_string(
			&json, "verdict",
			pidtrack_verdict_name(absence->comparison->verdict));
		json_string(&json, "reason", absence->comparison->reason);
	} else {
		json_string(&json, "message", strerror(-absence->error));
	}
	end_event(&json);
}

static void tell_removal(struct listener *listener, const struct target *target)
{
	struct json json;

	if (!begin_event(trace_of(listener), &json, "removed", "i",
			 row_of(target)))
		return;
	target_json_names(target, &json);
	end_event(&json);
}

static int settle(struct listener *listener, const struct audience *audience)
{
	(void)write_batch(trace_of(listener));
	return 0;
}

static const struct listener_calls calls = {
	.attached = begin_life,
	.event = tell_event,
	.absent = tell_absence,
	.removed = tell_removal,
	.settle = settle,
};

/* ---- the file ---- */

static int open_regular(const char *path)
{
	CLEANUP(fd_closep) int fd = -1;
	struct stat file;

	/* that of a fifo without a reader would wait for one */
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		  0666);
	if (fd < 0)
		return errno == ENXIO ? -EINVAL : -errno;
	if (fstat(fd, &file) < 0)
		return -errno;
	if (!S_ISREG(file.st_mode))
		return -EINVAL;
	if (ftruncate(fd, 0) < 0)
		return -errno;
	return fd_take(&fd);
}

/* The one event that has no comma before it. */
static int begin_array(struct trace *trace)
{
	FILE *to = batch(trace);
	struct json json;

	if (!to)
		return EXIT_FAILED;
	(void)fputs("[\n", to);
	json_begin_in(&json, to);
	json_string(&json, "name", "process_name");
	json_string(&json, "ph", "M");
	json_number(&json, "pid", PROCESS);
	json_number(&json, "tid", RECORDS);
	json_object_begin(&json, "args");
	json_string(&json, "name", "pidtrack watch");
	end_event(&json);
	name_row(trace, RECORDS, "records");
	return write_batch(trace);
}

int trace_open(struct trace *trace, const char *path)
{
	*trace = (struct trace){
		.listener = { .calls = &calls, .fd = -1 },
		.path = path,
		.fd = open_regular(path),
	};
	if (trace->fd == -EINVAL)
		complain("cannot trace into '%s': it is no regular file", path);
	else if (trace->fd < 0)
		complain("cannot trace into '%s': %s", path,
			 strerror(-trace->fd));
	else
		return begin_array(trace);
	trace->failed = true;
	return EXIT_FAILED;
}

int trace_close(struct trace *trace)
{
	FILE *to = batch(trace);

	if (to)
		(void)fputs("\n]\n", to);
	(void)write_batch(trace);
	fd_closep(&trace->fd);
	trace->fd = -1;
	return trace->failed ? EXIT_FAILED : 0;
}
