/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "hold_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "owned.h"

static int address_of(const char *path, struct sockaddr_un *ret_address)
{
	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(ret_address->sun_path))
		return -ENAMETOOLONG;
	memcpy(ret_address->sun_path, path, strlen(path) + 1);
	return 0;
}

/* Two that start at once take turns, by the directory. */
static int lock_directory(const char *path)
{
	CLEANUP(freep) char *directory = strdup(path);
	char *slash;
	int fd;

	if (!directory)
		return -ENOMEM;
	slash = strrchr(directory, '/');
	if (slash)
		slash[slash == directory] = 0;
	fd = open(slash ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX) < 0) {
		if (errno != EINTR)
			break;
	}
	return fd;
}

/* Removes what has the path, if it is a socket that nobody listens on. */
static int replace_stale(const char *path, const struct sockaddr_un *address)
{
	CLEANUP(fd_closep) int fd = -1;
	struct stat found;

	if (lstat(path, &found) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(found.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) ==
		    0 ||
	    errno != ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int bind_privately(int fd, const struct sockaddr_un *address)
{
	mode_t mask = umask(0177);
	int r;

	r = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ?
		    -errno :
		    0;
	umask(mask);
	return r;
}

static int listen_at(const char *path, const struct sockaddr_un *address,
		     struct hold_socket *ret_socket)
{
	int fd, r;

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = bind_privately(fd, address);
	if (r < 0) {
		close(fd);
		return r;
	}
	ret_socket->fd = fd;
	r = hold_socket_look(path, ret_socket);
	if (r == 0 && listen(fd, SOMAXCONN) < 0)
		r = -errno;
	if (r < 0)
		hold_socket_close(path, ret_socket);
	return r;
}

int hold_socket_open(const char *path, struct hold_socket *ret_socket)
{
	CLEANUP(fd_closep) int lock = -1;
	struct sockaddr_un address;
	int r;

	r = address_of(path, &address);
	if (r < 0)
		return r;
	lock = lock_directory(path);
	if (lock < 0)
		return lock;
	r = replace_stale(path, &address);
	return r < 0 ? r : listen_at(path, &address, ret_socket);
}

int hold_socket_look(const char *path, struct hold_socket *socket)
{
	struct stat found;

	if (lstat(path, &found) < 0)
		return -errno;
	socket->device = found.st_dev;
	socket->inode = found.st_ino;
	return 0;
}

void hold_socket_close(const char *path, struct hold_socket *socket)
{
	struct hold_socket there = { .fd = -1 };

	if (socket->fd < 0)
		return;
	if (hold_socket_look(path, &there) == 0 &&
	    there.device == socket->device && there.inode == socket->inode)
		unlink(path);
	close(socket->fd);
	socket->fd = -1;
}
