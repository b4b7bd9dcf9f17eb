/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A stand-in for the service manager, as none runs where tests do.  It follows
 * what systemd documents of its fd store, in sd_notify(3),
 * sd_pid_notify_with_fds(3), sd_listen_fds(3) and systemd.service(5):
 *
 *	FDSTORE=1	keeps what comes with it, under FDNAME=, or "stored" if
 *that is no name; not what it has already, and no more than
 *			FileDescriptorStoreMax=, without a word; and polls it
 *			unless there is FDPOLL=0: one that hangs up is dropped
 *	FDSTOREREMOVE=1	closes all of that FDNAME=
 *	BARRIER=1	closes what comes with it, when all before was done
 *	NotifyAccess=	who is not the main process is heard only if it is "all"
 *
 * and gives all it has to the next main process, from 3 on, with LISTEN_FDS,
 * LISTEN_PID and LISTEN_FDNAMES.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "children.h"
#include "harness.h"

#define SERVICE_MAX 128
#define SERVICE_BYTES 16384

struct service {
	char address[100]; /* for NOTIFY_SOCKET */
	pid_t pid;
	int control; /* to it */
};

/* What it is told when it is started. */
struct service_options {
	int max;	 /* FileDescriptorStoreMax= */
	bool main_alone; /* NotifyAccess=main */
};

/* ---- messages with descriptors ---- */

struct service_message {
	char text[SERVICE_BYTES];
	int fds[SERVICE_MAX];
	int n_fds;
	pid_t from;
};

static inline ssize_t service_receive(int socket,
				      struct service_message *message)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(message->fds)) +
					      CMSG_SPACE(sizeof(struct ucred))];
	struct iovec part = { message->text, sizeof(message->text) - 1 };
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *at;
	ssize_t n = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);

	message->n_fds = 0;
	message->from = 0;
	if (n < 0)
		return n;
	message->text[n] = '\0';
	for (at = CMSG_FIRSTHDR(&header); at; at = CMSG_NXTHDR(&header, at)) {
		if (at->cmsg_type == SCM_RIGHTS) {
			message->n_fds =
				(int)((at->cmsg_len - CMSG_LEN(0)) / 4);
			memcpy(message->fds, CMSG_DATA(at),
			       at->cmsg_len - CMSG_LEN(0));
		} else if (at->cmsg_type == SCM_CREDENTIALS) {
			struct ucred ucred;

			memcpy(&ucred, CMSG_DATA(at), sizeof(ucred));
			message->from = ucred.pid;
		}
	}
	return n;
}

static inline ssize_t service_send(int socket, const char *text, size_t size,
				   const int *fds, int n_fds)
{
	_Alignas(struct cmsghdr) char
		control[CMSG_SPACE(SERVICE_MAX * sizeof(int))] = { 0 };
	struct iovec part = { (char *)text, size };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };

	if (n_fds > 0) {
		struct cmsghdr *at = (struct cmsghdr *)control;

		header.msg_control = control;
		header.msg_controllen = CMSG_SPACE((size_t)n_fds * sizeof(int));
		at->cmsg_level = SOL_SOCKET;
		at->cmsg_type = SCM_RIGHTS;
		at->cmsg_len = CMSG_LEN((size_t)n_fds * sizeof(int));
		memcpy(CMSG_DATA(at), fds, (size_t)n_fds * sizeof(int));
	}
	return sendmsg(socket, &header, MSG_NOSIGNAL);
}

/* ---- the stand-in itself ---- */

struct service_stored {
	char name[256];
	int fd;
	bool polled;
};

struct service_unit {
	struct service_options options;
	struct service_stored stored[SERVICE_MAX];
	int n;
	pid_t main;
	pid_t last_from;
};

static inline void service_drop(struct service_unit *unit, int i)
{
	close(unit->stored[i].fd);
	unit->stored[i] = unit->stored[--unit->n];
}

static inline bool service_name_is_valid(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (name[i] < ' ' || name[i] > '~' || name[i] == ':')
			return false;
	return n <= 255;
}

static inline bool service_is_same(int a, int b)
{
	struct stat one, other;

	return !fstat(a, &one) && !fstat(b, &other) &&
	       one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

static inline void service_store(struct service_unit *unit, int fd,
				 const char *name, bool polled)
{
	struct service_stored *stored = &unit->stored[unit->n];

	for (int i = 0; i < unit->n; i++)
		if (service_is_same(unit->stored[i].fd, fd)) {
			close(fd);
			return;
		}
	if (unit->n >= unit->options.max) {
		close(fd);
		return;
	}
	if (!name || !service_name_is_valid(name))
		name = "stored";
	snprintf(stored->name, sizeof(stored->name), "%s", name);
	stored->fd = fd;
	stored->polled = polled;
	unit->n++;
}

static inline void service_obey(struct service_unit *unit,
				struct service_message *message)
{
	bool stores = false, removes = false, polled = true;
	char *rest = message->text, *line, *name = NULL;
	int i;

	if (!strcmp(message->text, "BARRIER=1"))
		goto out;
	if (unit->options.main_alone && message->from != unit->main)
		goto out;
	unit->last_from = message->from;
	while ((line = strsep(&rest, "\n"))) {
		stores |= !strcmp(line, "FDSTORE=1");
		removes |= !strcmp(line, "FDSTOREREMOVE=1");
		polled &= strcmp(line, "FDPOLL=0") != 0;
		if (!strncmp(line, "FDNAME=", 7))
			name = line + 7;
	}
	for (i = unit->n - 1; removes && name && i >= 0; i--)
		if (!strcmp(unit->stored[i].name, name))
			service_drop(unit, i);
	for (i = 0; stores && !removes && i < message->n_fds; i++) {
		service_store(unit, message->fds[i], name, polled);
		message->fds[i] = -1;
	}
out:
	for (i = 0; i < message->n_fds; i++)
		if (message->fds[i] >= 0)
			close(message->fds[i]);
}

/* "main PID" tells which it is, "sender" and "list" are answered. */
static inline void service_answer(struct service_unit *unit, int control,
				  const char *asked)
{
	char text[SERVICE_BYTES] = "";
	size_t n = 0;
	int fds[SERVICE_MAX];

	if (sscanf(asked, "main %d", &unit->main) == 1) {
		service_send(control, "-", 1, NULL, 0);
		return;
	}
	if (!strcmp(asked, "sender")) {
		n = (size_t)snprintf(text, sizeof(text), "%d", unit->last_from);
		service_send(control, text, n, NULL, 0);
		return;
	}
	for (int i = 0; i < unit->n; i++) {
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s",
				      i ? ":" : "", unit->stored[i].name);
		fds[i] = unit->stored[i].fd;
	}
	service_send(control, n ? text : "-", n ?: 1, fds, unit->n);
}

static inline void __attribute__((noreturn))
service_live(int socket, int control, const struct service_options *options)
{
	static struct service_message message;
	static struct service_unit unit;
	struct pollfd fds[2 + SERVICE_MAX];

	unit.options = *options;
	for (;;) {
		fds[0] = (struct pollfd){ .fd = socket, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = control, .events = POLLIN };
		for (int i = 0; i < unit.n; i++)
			fds[2 + i] = (struct pollfd){
				.fd = unit.stored[i].polled ?
					      unit.stored[i].fd :
					      -1,
			};
		if (poll(fds, (nfds_t)(2 + unit.n), -1) < 0)
			_exit(1);
		for (int i = unit.n - 1; i >= 0; i--)
			if (fds[2 + i].revents & (POLLHUP | POLLERR))
				service_drop(&unit, i);
		/* first what was sent before anybody asks */
		if (fds[0].revents) {
			if (service_receive(socket, &message) >= 0)
				service_obey(&unit, &message);
		} else if (fds[1].revents) {
			if (service_receive(control, &message) <= 0)
				_exit(0);
			service_answer(&unit, control, message.text);
		}
	}
}

/* @address: a path, or "@name" */
static inline void service_start(struct __test_metadata *_metadata,
				 struct service *service, const char *address,
				 const struct service_options *options)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t size;
	int socket_, control[2], on = 1;

	snprintf(service->address, sizeof(service->address), "%s", address);
	snprintf(name.sun_path, sizeof(name.sun_path), "%s", address);
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			   strlen(address) + (address[0] != '@'));
	if (address[0] == '@')
		name.sun_path[0] = '\0';
	socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ASSERT_GE(socket_, 0);
	ASSERT_EQ(0, bind(socket_, (struct sockaddr *)&name, size));
	if (address[0] != '@')
		ASSERT_EQ(0, chmod(address, 0777));
	ASSERT_EQ(0, setsockopt(socket_, SOL_SOCKET, SO_PASSCRED, &on,
				sizeof(on)));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				control));
	service->pid = fork();
	ASSERT_GE(service->pid, 0);
	if (!service->pid) {
		close(control[0]);
		service_live(socket_, control[1], options);
	}
	close(socket_);
	close(control[1]);
	service->control = control[0];
}

static inline void service_end(struct service *service)
{
	int status;

	close(service->control);
	waitpid(service->pid, &status, 0);
}

static inline void service_ask(struct __test_metadata *_metadata,
			       const struct service *service, const char *what,
			       struct service_message *ret_answer)
{
	ASSERT_EQ(strlen(what),
		  service_send(service->control, what, strlen(what), NULL, 0));
	ASSERT_GT(service_receive(service->control, ret_answer), 0);
}

/* How many it has. */
static inline int service_count(struct __test_metadata *_metadata,
				const struct service *service)
{
	static struct service_message answer;

	service_ask(_metadata, service, "list", &answer);
	for (int i = 0; i < answer.n_fds; i++)
		close(answer.fds[i]);
	return answer.n_fds;
}

/* Who sent it the last message that it heard. */
static inline pid_t service_sender(struct __test_metadata *_metadata,
				   const struct service *service)
{
	static struct service_message answer;

	service_ask(_metadata, service, "sender", &answer);
	return (pid_t)atoi(answer.text);
}

#define SERVICE_MOVED 600 /* descriptors step aside, above it */

/*
 * In a child of fork(): is the main process of the service from now on, with
 * what there is in the store.  Closes or replaces 3 and those above it, as many
 * as are given.
 */
static inline void service_begin(struct __test_metadata *_metadata,
				 const struct service *service)
{
	static struct service_message answer;
	char number[32];
	int i;

	snprintf(number, sizeof(number), "main %d", getpid());
	service_ask(_metadata, service, number, &answer);
	service_ask(_metadata, service, "list", &answer);
	for (i = 0; i < answer.n_fds; i++) {
		int moved =
			fcntl(answer.fds[i], F_DUPFD_CLOEXEC, SERVICE_MOVED);

		ASSERT_GE(moved, 0);
		close(answer.fds[i]);
		answer.fds[i] = moved;
	}
	for (i = 0; i < answer.n_fds; i++) {
		ASSERT_EQ(3 + i, dup2(answer.fds[i], 3 + i));
		close(answer.fds[i]);
	}
	setenv("NOTIFY_SOCKET", service->address, 1);
	snprintf(number, sizeof(number), "%d", answer.n_fds);
	setenv("LISTEN_FDS", number, 1);
	snprintf(number, sizeof(number), "%d", getpid());
	setenv("LISTEN_PID", number, 1);
	setenv("LISTEN_FDNAMES", answer.n_fds ? answer.text : "", 1);
}

#endif
