/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A host with brood-box's files: VMS/NAME/ has the logs of one VM, and in it
 * .bbox-sentinel says who runs that.  Whoever comes later sweeps what nobody
 * runs any more.
 *
 *	brood_box_host VMS hold NAME	marks it as its own and stays until its
 *					standard input ends
 *	brood_box_host VMS probe NAME	0: keep; 1: remove; and why
 *	brood_box_host VMS sweep	removes, and says of each why, or why
 *not
 *
 * A sentinel of an old bbox (pid; or pid and path) is read as well.  Ours is a
 * fingerprint alone: to an old one that is invalid, which it keeps.  A native
 * record it would take for a pid and a strange path, and remove all.
 */
#include <dirent.h>
#include <sys/file.h>

#include "host.h"

#define SENTINEL ".bbox-sentinel"

/* ---- the owner ---- */

/*
 * The directory, made and locked; between the two it may have been swept.  The
 * lock is for those who start and those who sweep, not for who runs.
 */
static int enter(const struct host_path *path)
{
	for (;;) {
		struct stat named, opened;
		int fd;

		if (mkdir(path->text, 0700) && errno != EEXIST)
			host_fail(path->text, -errno);
		fd = open(path->text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0 || flock(fd, LOCK_SH) || fstat(fd, &opened))
			host_fail(path->text, -errno);
		if (!stat(path->text, &named) &&
		    named.st_ino == opened.st_ino &&
		    named.st_dev == opened.st_dev)
			return fd;
		close(fd);
	}
}

/* Our own fingerprint. */
static void mark(const struct host_path *path)
{
	CLEANUP(host_end) struct pidtrack *tracker = host_begin();
	struct host_path sentinel = host_path("%s/" SENTINEL, path->text);
	char text[PIDTRACK_FINGERPRINT_MAX];
	struct pidtrack_process *self;
	int r;

	r = pidtrack_attach(tracker, getpid(), 0, PIDTRACK_ATTACH_OBSERVE,
			    &self);
	if (r >= 0)
		r = pidtrack_process_fingerprint(self, text, sizeof(text));
	if (r >= 0)
		r = host_put(sentinel.text, text);
	if (r < 0)
		host_fail(sentinel.text, r);
}

static int hold(const char *vms, const char *name)
{
	struct host_path path = host_path("%s/%s", vms, name);
	int fd = enter(&path);

	mark(&path);
	close(fd);
	printf("%s held by %d\n", name, getpid());
	fflush(stdout);
	while (getchar() != EOF) /* the life of a VM */
		;
	return 0;
}

/* ---- the others ---- */

/* Whether to remove it, and why, or why not. */
static bool is_stale(struct pidtrack *tracker, const char *directory,
		     const char **ret_why)
{
	struct host_path path = host_path("%s/" SENTINEL, directory);
	CLEANUP(host_forget) struct pidtrack_record *record = NULL;
	struct pidtrack_comparison found = { 0 };
	int r;

	r = pidtrack_record_read(path.text, &record);
	if (r == 0)
		r = pidtrack_verify(tracker, record, &found, sizeof(found));
	if (r == -ENOENT)
		*ret_why = "no sentinel";
	else if (r == -EFBIG)
		*ret_why = "a sentinel of suspicious size";
	else if (r == -EBADMSG || r == -EPROTONOSUPPORT)
		*ret_why = "an invalid sentinel";
	else
		*ret_why = r < 0 ? strerror(-r) : found.reason;
	return host_may_clean_up(found.verdict);
}

static void say(const char *name, bool stale, const char *why)
{
	printf("%s %s: %s\n", name, stale ? "remove" : "keep", why);
}

static int probe(const char *vms, const char *name)
{
	CLEANUP(host_end) struct pidtrack *tracker = host_begin();
	struct host_path path = host_path("%s/%s", vms, name);
	const char *why;
	bool stale = is_stale(tracker, path.text, &why);

	say(name, stale, why);
	return stale ? HOST_NO : 0;
}

/* Judged under the lock, so that nobody starts in it meanwhile. */
static void sweep_one(struct pidtrack *tracker, const char *vms,
		      const char *name)
{
	struct host_path path = host_path("%s/%s", vms, name);
	CLEANUP(host_close) int fd = -1;
	const char *why;
	bool stale;

	fd = open(path.text, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		say(name, false, "somebody is starting or sweeping");
		return;
	}
	stale = is_stale(tracker, path.text, &why);
	say(name, stale, why);
	if (stale)
		host_remove_tree(path.text);
}

static int sweep(const char *vms)
{
	CLEANUP(host_end) struct pidtrack *tracker = host_begin();
	struct dirent **names;
	int i, n = scandir(vms, &names, NULL, alphasort);

	for (i = 0; i < n; i++) {
		if (strcmp(names[i]->d_name, ".") &&
		    strcmp(names[i]->d_name, ".."))
			sweep_one(tracker, vms, names[i]->d_name);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return 0;
}

int main(int argc, char **argv)
{
	const char *command = argc > 2 ? argv[2] : "";

	if (argc == 4 && !strcmp(command, "hold"))
		return hold(argv[1], argv[3]);
	if (argc == 4 && !strcmp(command, "probe"))
		return probe(argv[1], argv[3]);
	if (argc == 3 && !strcmp(command, "sweep"))
		return sweep(argv[1]);
	fprintf(stderr, "usage: brood_box_host VMS "
			"hold NAME | probe NAME | sweep\n");
	return HOST_USAGE;
}
