/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A cgroup2 directory of a test's own, below the one it is in, and one below
 * that; whoever may not make them skips.
 */
#ifndef CGROUPS_H
#define CGROUPS_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct cgroup {
	char path[600];
	char below[700];
	int fd;
};

/* Where a file system of that type is mounted, whole; false: nowhere. */
static inline bool mount_find(const char *type, char *ret_path, size_t size)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096], root[1024], at[256], found[64];

	while (file && fgets(line, sizeof(line), file)) {
		char *dash = strstr(line, " - ");

		if (!dash ||
		    sscanf(line, "%*s %*s %*s %1023s %255s", root, at) != 2 ||
		    sscanf(dash, " - %63s", found) != 1 ||
		    strcmp(type, found) || strcmp(root, "/"))
			continue;
		fclose(file);
		snprintf(ret_path, size, "%s", at);
		return true;
	}
	if (file)
		fclose(file);
	return false;
}

/* The path of the caller's own in the hierarchy. */
static inline void cgroup_own(char *ret_path, size_t size)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[256];

	*ret_path = '\0';
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "0::", 3))
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(ret_path, size, "%s",
			 strcmp(line + 3, "/") ? line + 3 : "");
	}
	if (file)
		fclose(file);
}

/* Return: 0 or -errno. */
static inline int cgroup_make(struct cgroup *cgroup)
{
	char mount[256], own[256];
	struct stat numbers = { 0 };

	cgroup->fd = -1;
	if (!mount_find("cgroup2", mount, sizeof(mount)))
		return -ENODEV;
	cgroup_own(own, sizeof(own));
	stat("/proc/self/ns/pid", &numbers);
	snprintf(cgroup->path, sizeof(cgroup->path), "%s%s/pidtrack-stop-%d-%u",
		 mount, own, getpid(), (unsigned int)numbers.st_ino);
	snprintf(cgroup->below, sizeof(cgroup->below), "%s/below",
		 cgroup->path);
	/* of a test that was killed, and had the number before */
	rmdir(cgroup->below);
	rmdir(cgroup->path);
	if (mkdir(cgroup->path, 0755) < 0 || mkdir(cgroup->below, 0755) < 0)
		return -errno;
	cgroup->fd = open(cgroup->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return cgroup->fd < 0 ? -errno : 0;
}

/* Whoever is in it has ended, or is just about to. */
static inline void cgroup_remove(struct cgroup *cgroup)
{
	if (cgroup->fd >= 0)
		close(cgroup->fd);
	while (rmdir(cgroup->below) < 0 && errno == EBUSY)
		sched_yield();
	while (rmdir(cgroup->path) < 0 && errno == EBUSY)
		sched_yield();
}

/* The caller goes there; 0 or -errno. */
static inline int cgroup_join(const char *path)
{
	char procs[800];
	int fd, r = 0;

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	fd = open(procs, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		r = -errno;
	if (fd >= 0)
		close(fd);
	return r;
}

#endif
