/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A directory of records that is followed while bytes decide what happens in
 * it: whenever there is nothing more to tell, what was told is what is there,
 * by the word of lstat(2) and pidtrack_record_read().  And events of the
 * kernel's as bytes of any kind.
 *
 * The first byte is 0 for events, odd for a directory that ends, even for one
 * that goes on in the next run; then each operation is three: which, the name
 * it is about, and one more.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "directory.h"
#include "fuzz.h"
#include "pidtrack.h"

#define ARRAY(array) (sizeof(array) / sizeof((array)[0]))
#define OPERATIONS_MAX 64
#define FIRST_WITH_REGISTRY 13 /* operation */
#define EXCHANGE 2	       /* RENAME_EXCHANGE */

/* ---- events of any kind ---- */

static void try_events(const uint8_t *bytes, size_t size)
{
	struct pt_directory *directory = malloc(sizeof(*directory));
	const char *name = NULL;
	size_t at;

	FUZZ_CHECK(directory);
	memset(directory, 0, sizeof(*directory));
	directory->watch = 1;
	directory->parent = 2;
	if (size > sizeof(directory->events.bytes))
		size = sizeof(directory->events.bytes);
	/* to the last byte of it, for a sanitizer to watch; and aligned */
	size &= ~(size_t)7;
	at = sizeof(directory->events.bytes) - size;
	if (size > 0)
		memcpy(directory->events.bytes + at, bytes, size);
	directory->events.at = at;
	directory->events.end = at + size;
	while (pt_directory_has_events(directory)) {
		const struct inotify_event *event =
			(const void *)(directory->events.bytes +
				       directory->events.at);
		int r;

		/* the kernel pads names */
		if (directory->events.at % 4)
			break;
		r = pt_directory_take(directory, &name);
		FUZZ_CHECK(directory->events.at > at);
		FUZZ_CHECK(directory->events.at <= directory->events.end);
		at = directory->events.at;
		FUZZ_CHECK(r >= PT_DIRECTORY_NONE && r <= PT_DIRECTORY_ENDED);
		if (r == PT_DIRECTORY_NAME)
			FUZZ_CHECK(event->wd == 1 && strlen(name) < event->len);
	}
	free(directory);
}

/* ---- a directory and what was told of it ---- */

static const char *names[] = {
	"a",
	"b",
	"c.record",
	"-",
	"(long)",
	"web 1\n\x80",
	".hidden",
	"a.exit",
	"b.exit.previous",
	".exit",
	".pidtrack-1-2",
	"a.exit.previous.x",
};

#define N_NAMES ARRAY(names)

static const char *const texts[] = {
	"",
	"4711\n",
	"4712",
	"x",
	"4711\n1\n",
	"4711\n/bin/sh\n",
	"4711\n",
	"4711\n\nservices-mux-v1\n",
	"pidtrack1:pid=4711",
};

struct told {
	bool is_there;
	int error;
	pid_t pid;
};

struct place {
	char path[64];
	int dir;
	struct pidtrack_registry *registry;
	bool scanned;
	int end; /* it was moved, or removed */
	struct told told[N_NAMES];
	int kept; /* a file that is written to, and stays open */
};

static bool is_of_record(size_t i)
{
	return i < 6 || i == N_NAMES - 1;
}

static size_t index_of(const char *name)
{
	size_t i;

	for (i = 0; i < N_NAMES && strcmp(name, names[i]); i++)
		;
	FUZZ_CHECK(i < N_NAMES && is_of_record(i));
	return i;
}

static void check_verified(const struct pidtrack_found *found)
{
	FUZZ_CHECK(!found->record == !found->comparison);
	if (found->comparison)
		FUZZ_CHECK(found->comparison->verdict &&
			   found->comparison->reason[0]);
	if (found->change == PIDTRACK_REMOVED)
		FUZZ_CHECK(!found->record && !found->error);
	else
		FUZZ_CHECK(!found->record == (found->error < 0));
}

/* Return: as pidtrack_registry_next(). */
static int take(struct place *place)
{
	const struct pidtrack_found *found;
	struct told *told;
	int r;

	r = pidtrack_registry_next(place->registry, NULL, &found);
	if (r <= 0) {
		FUZZ_CHECK(r == place->end);
		place->scanned = true;
		return r;
	}
	check_verified(found);
	told = &place->told[index_of(found->name)];
	if (found->change == PIDTRACK_FOUND)
		FUZZ_CHECK(!place->scanned && !told->is_there);
	else if (found->change == PIDTRACK_REMOVED)
		FUZZ_CHECK(told->is_there);
	else
		FUZZ_CHECK(found->change == PIDTRACK_CHANGED);
	*told = (struct told){
		.is_there = found->change != PIDTRACK_REMOVED,
		.error = found->error,
		.pid = found->record ? pidtrack_record_pid(found->record) : 0,
	};
	return r;
}

static bool is_readable(const struct place *place)
{
	struct pollfd poll_fd = { .fd = pidtrack_registry_fd(place->registry),
				  .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1;
}

static void path_of(const struct place *place, size_t i, char *ret_path)
{
	sprintf(ret_path, "%s/%s", place->path, names[i]);
}

/* What is there, without the registry. */
static struct told look(const struct place *place, size_t i)
{
	struct pidtrack_record *record = NULL;
	struct told seen = { 0 };
	char path[PATH_MAX];
	struct stat found;

	if (place->end || !is_of_record(i) ||
	    fstatat(place->dir, names[i], &found, AT_SYMLINK_NOFOLLOW) ||
	    !S_ISREG(found.st_mode))
		return seen;
	path_of(place, i, path);
	seen.is_there = true;
	seen.error = pidtrack_record_read(path, &record);
	if (!seen.error)
		seen.pid = pidtrack_record_pid(record);
	pidtrack_record_free(record);
	return seen;
}

static void check_same(const struct told *expected, const struct told *told)
{
	FUZZ_CHECK(expected->is_there == told->is_there);
	if (!expected->is_there)
		return;
	FUZZ_CHECK(expected->error == told->error);
	FUZZ_CHECK(expected->pid == told->pid);
}

static void settle(struct place *place)
{
	bool readable;
	size_t i;

	do
		readable = is_readable(place);
	while (take(place) > 0 && readable);
	/* nothing was said that was not announced, nor the other way about */
	FUZZ_CHECK(take(place) == place->end);
	FUZZ_CHECK(is_readable(place) == (place->end < 0));
	for (i = 0; i < N_NAMES; i++) {
		struct told seen = look(place, i);

		check_same(&seen, &place->told[i]);
	}
}

/* One without following: each once, and all. */
static void scan_apart(const struct place *place)
{
	struct told told[N_NAMES] = { 0 };
	const struct pidtrack_found *found;
	struct pidtrack_registry *registry;
	size_t i;
	int r;

	if (place->end)
		return;
	FUZZ_CHECK(!pidtrack_registry_open(place->path, 0, &registry));
	FUZZ_CHECK(pidtrack_registry_fd(registry) == -EINVAL);
	while ((r = pidtrack_registry_next(registry, NULL, &found)) > 0) {
		i = index_of(found->name);
		check_verified(found);
		FUZZ_CHECK(found->change == PIDTRACK_FOUND);
		FUZZ_CHECK(!told[i].is_there);
		told[i] = (struct told){
			true, found->error,
			found->record ? pidtrack_record_pid(found->record) : 0
		};
	}
	FUZZ_CHECK(r == 0);
	FUZZ_CHECK(pidtrack_registry_next(registry, NULL, &found) == 0);
	for (i = 0; i < N_NAMES; i++) {
		struct told seen = look(place, i);

		check_same(&seen, &told[i]);
	}
	pidtrack_registry_free(registry);
}

/* ---- what happens in it ---- */

/*
 * What is written by one of its names is not told of the others, so that is
 * not done here.
 */
static bool has_names(const struct place *place, const char *name)
{
	struct stat found;

	return !fstatat(place->dir, name, &found, AT_SYMLINK_NOFOLLOW) &&
	       found.st_nlink > 1;
}

static void put(const struct place *place, const char *name, int flags,
		uint8_t what)
{
	static const char large[PIDTRACK_RECORD_MAX + 1];
	const char *text = texts[what % ARRAY(texts)];
	bool is_large = what == 255;
	size_t size = is_large ? sizeof(large) : strlen(text);
	int fd;

	if (has_names(place, name))
		return;
	fd = openat(place->dir, name,
		    O_WRONLY | O_CREAT | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC |
			    flags,
		    0600);
	if (fd < 0)
		return;
	if (write(fd, is_large ? large : text, size) < 0)
		FUZZ_CHECK(errno == EAGAIN || errno == EPIPE);
	close(fd);
}

static void close_kept(struct place *place)
{
	if (place->kept >= 0)
		close(place->kept);
	place->kept = -1;
}

/* Written to, and not closed, as pid files are by some. */
static void put_and_keep(struct place *place, size_t i, uint8_t what)
{
	const char *text = texts[what % ARRAY(texts)];

	if (what & 128 || place->kept < 0) {
		close_kept(place);
		if (has_names(place, names[i]))
			return;
		place->kept = openat(place->dir, names[i],
				     O_RDWR | O_CREAT | O_NONBLOCK |
					     O_NOFOLLOW | O_CLOEXEC,
				     0600);
	}
	if (place->kept < 0)
		return;
	if (what & 64 && ftruncate(place->kept, what % 7))
		FUZZ_CHECK(errno == EINVAL); /* no file */
	if (write(place->kept, text, strlen(text)) < 0)
		FUZZ_CHECK(errno == EAGAIN || errno == EPIPE);
}

static void put_by_renaming(const struct place *place, size_t i, uint8_t what)
{
	put(place, ".temporary", O_TRUNC, what);
	if (renameat(place->dir, ".temporary", place->dir, names[i]))
		unlinkat(place->dir, ".temporary", 0);
}

static void remove_name(const struct place *place, size_t i)
{
	if (unlinkat(place->dir, names[i], 0))
		unlinkat(place->dir, names[i], AT_REMOVEDIR);
}

/* Judged, then perhaps changed, then removed: only if it was not changed. */
static void remove_record(const struct place *place, size_t i, uint8_t what)
{
	struct pidtrack_record *record;
	struct told before, after;
	char path[PATH_MAX];
	int r;

	path_of(place, i, path);
	if (pidtrack_record_read(path, &record))
		return;
	if (what & 1)
		put_by_renaming(place, i, what);
	before = look(place, i);
	r = pidtrack_record_remove(path, record);
	after = look(place, i);
	if (what & 1)
		FUZZ_CHECK(r == -ESTALE);
	else
		FUZZ_CHECK(r == 0 && !after.is_there);
	if (r)
		check_same(&before, &after);
	pidtrack_record_free(record);
}

static void mode(const struct place *place, size_t i, uint8_t what)
{
	/* a link's would be that of what it leads to */
	if (fchmodat(place->dir, names[i], what & 0777, AT_SYMLINK_NOFOLLOW))
		FUZZ_CHECK(errno == ENOENT || errno == EOPNOTSUPP ||
			   errno == ENOTSUP || errno == ELOOP);
}

static void move_directory(struct place *place)
{
	char path[80];

	if (place->end)
		return;
	sprintf(path, "%s.moved", place->path);
	FUZZ_CHECK(!rename(place->path, path));
	strcpy(place->path, path);
	place->end = -ESTALE;
}

static void operate(struct place *place, const uint8_t *bytes)
{
	size_t i = bytes[1] % N_NAMES, other = bytes[2] % N_NAMES;
	uint8_t what = bytes[2];

	switch (bytes[0] % 20) {
	case 0:
	case 1:
		put_by_renaming(place, i, what);
		break;
	case 2:
		put(place, names[i], O_TRUNC, what);
		break;
	case 3:
		put(place, names[i], O_APPEND, what);
		break;
	case 4:
		put_and_keep(place, i, what);
		break;
	case 5:
	case 6:
		remove_name(place, i);
		break;
	case 7:
		(void)!renameat(place->dir, names[i], place->dir, names[other]);
		break;
	case 8:
		(void)!syscall(SYS_renameat2, place->dir, names[i], place->dir,
			       names[other], EXCHANGE);
		break;
	case 9:
		close_kept(place);
		(void)!linkat(place->dir, names[i], place->dir, names[other],
			      0);
		break;
	case 10:
		(void)!mkdirat(place->dir, names[i], 0700);
		break;
	case 11:
		(void)!symlinkat(names[other], place->dir, names[i]);
		break;
	case 12:
		(void)!mkfifoat(place->dir, names[i], 0600);
		break;
	case 13:
		remove_record(place, i, what);
		break;
	case 14:
		mode(place, i, what);
		break;
	case 15:
		scan_apart(place);
		break;
	case 16:
		for (i = 0; i < what % 8 && take(place) > 0; i++)
			;
		break;
	case 17:
		if (what == 255)
			move_directory(place);
		break;
	default:
		settle(place);
	}
}

/* ---- one run ---- */

static int lowest_free(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

static void open_place(struct place *place)
{
	static unsigned int n;

	*place = (struct place){ .kept = -1 };
	sprintf(place->path, "%s/pt-scan-%d-%u",
		access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", getpid(), n++);
	FUZZ_CHECK(!mkdir(place->path, 0700));
	place->dir = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(place->dir >= 0);
}

static void follow(struct place *place)
{
	FUZZ_CHECK(!pidtrack_registry_open(
		place->path, PIDTRACK_REGISTRY_FOLLOW, &place->registry));
	FUZZ_CHECK(is_readable(place));
}

static void empty(struct place *place)
{
	size_t i;

	close_kept(place);
	for (i = 0; i < N_NAMES; i++)
		remove_name(place, i);
}

/* Nothing is left but what was put there. */
static void close_place(struct place *place)
{
	empty(place);
	FUZZ_CHECK(!rmdir(place->path));
	if (!place->end)
		place->end = -ENOENT;
	settle(place);
	pidtrack_registry_free(place->registry);
	close(place->dir);
}

static void operate_all(struct place *place, const uint8_t *bytes, size_t size)
{
	size_t i;

	for (i = 0; size - i >= 3 && i < OPERATIONS_MAX * 3UL; i += 3)
		operate(place, bytes + i);
	settle(place);
}

/* From before the first scan to after the end. */
static void try_whole(const uint8_t *bytes, size_t size)
{
	int before = lowest_free();
	struct place place;

	open_place(&place);
	for (; size >= 3 && bytes[0] % 20 < FIRST_WITH_REGISTRY; size -= 3) {
		operate(&place, bytes);
		bytes += 3;
	}
	follow(&place);
	operate_all(&place, bytes, size);
	close_place(&place);
	FUZZ_CHECK(lowest_free() == before);
}

static struct place lasting; /* from run to run */

static __attribute__((destructor)) void close_lasting(void)
{
	if (lasting.registry)
		close_place(&lasting);
	lasting.registry = NULL;
}

/* In the one of the run before: to close one takes the kernel some 10 ms. */
static void try_more(const uint8_t *bytes, size_t size)
{
	if (!lasting.registry) {
		open_place(&lasting);
		follow(&lasting);
	}
	operate_all(&lasting, bytes, size);
	empty(&lasting);
	if (lasting.end)
		close_lasting();
	else
		settle(&lasting);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static char longest[NAME_MAX + 1];

	memset(longest, 'l', NAME_MAX);
	names[4] = longest;
	if (size == 0)
		return 0;
	if (bytes[0] == 0)
		try_events(bytes + 1, size - 1);
	else if (bytes[0] & 1)
		try_whole(bytes + 1, size - 1);
	else
		try_more(bytes + 1, size - 1);
	return 0;
}
